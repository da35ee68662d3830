import { spawn } from 'node:child_process'

/** Runs a program to its end; what it printed. @throws when it fails */
export function run(command: string, args: readonly string[], input?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (chunk) => {
      stdout += chunk
    })
    child.stderr.on('data', (chunk) => {
      stderr += chunk
    })
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) resolve(stdout)
      else reject(new Error(`${command} ${args.join(' ')}: exit code ${code}: ${stderr}`))
    })
    // Who reads nothing may have ended by then.
    child.stdin.on('error', () => {})
    child.stdin.end(input)
  })
}
