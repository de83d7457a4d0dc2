/** The surroundings of a run of the command, passed in so that tests can run commands. */
export interface CliContext {
  /** Arguments after the program's name. */
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  /** The user's home directory. */
  readonly home: string
  readonly stdin: NodeJS.ReadStream
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
}

/** Exit codes. A second signal exits with 128 + its number, as shells do. */
export const EXIT_OK = 0
export const EXIT_FAILED = 1
/** The command line or a setting is wrong; nothing was started. */
export const EXIT_USAGE = 2
/** Ctrl-C canceled the request; 128 + SIGINT, as shells do. */
export const EXIT_CANCELED = 130
/** Nobody reads standard output any more; 128 + SIGPIPE, as shells do. */
export const EXIT_PIPE = 141
