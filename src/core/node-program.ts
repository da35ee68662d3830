/** A Node to start here: the one that runs this program; where Deno or Bun does, the one on the PATH. */
export const nodeProgram = (): string =>
  'deno' in process.versions || 'bun' in process.versions ? 'node' : process.execPath
