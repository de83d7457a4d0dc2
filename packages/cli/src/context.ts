/** What a run of the command has from its surroundings, given in so that commands can be run from tests. */
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
/** Ctrl-C took away what was asked for; 128 + SIGINT, as shells do. */
export const EXIT_CANCELED = 130
/** Nobody reads standard output any more; 128 + SIGPIPE, as shells do. */
export const EXIT_PIPE = 141
