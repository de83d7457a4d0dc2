import { join } from 'node:path'

/** The user's data directory, by the XDG base directory specification: `~/.local/share/resultity`. */
export function userDataDirectory(env: Readonly<Record<string, string | undefined>>, home: string): string {
  const base = env.XDG_DATA_HOME
  // the specification says that a relative path there is to be ignored
  return join(base?.startsWith('/') ? base : join(home, '.local', 'share'), 'resultity')
}
