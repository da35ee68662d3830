"""A kernel on a leash: commands come as JSON lines on stdin, the kernel's messages go out as JSON lines on stdout."""

import json
import sys
import threading

from jupyter_client import KernelManager

lock = threading.RLock()


def tell(**message):
    with lock:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()


def pump(client, stopped):
    while not stopped.is_set():
        try:
            message = client.get_iopub_msg(timeout=0.2)
        except Exception as error:  # queue.Empty: nothing yet; anything else ends the pump
            if type(error).__name__ != "Empty":
                tell(type="broken", words=repr(error))
                return
            continue
        parent = message["parent_header"].get("msg_id")
        tell(type=message["msg_type"], parent=parent, content=message["content"])


class Connection:
    def __init__(self, manager):
        self.client = manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=180)
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=pump, args=(self.client, self.stopped))
        self.thread.start()

    def close(self):
        self.stopped.set()
        self.thread.join()
        self.client.stop_channels()


def main(name):
    manager = KernelManager(kernel_name=name)
    manager.start_kernel()
    connection = None
    try:
        connection = Connection(manager)
        tell(type="ready", pid=manager.provisioner.pid)
        for line in sys.stdin:
            command = json.loads(line)
            if command["do"] == "execute":
                # Nothing of its answer is told before its name is.
                with lock:
                    message = connection.client.execute(command["code"], allow_stdin=False)
                    tell(type="sent", number=command["number"], message=message)
            elif command["do"] == "interrupt":
                manager.interrupt_kernel()
            elif command["do"] == "restart":
                connection.close()
                manager.restart_kernel(now=True)
                connection = Connection(manager)
                tell(type="ready", pid=manager.provisioner.pid)
    finally:
        if connection:
            connection.close()
        # By its own pid: the manager signals the process that it started.
        manager.shutdown_kernel(now=True)


main(sys.argv[1])
