/** Where the mesh reports what an operator should see. A pino logger fits. */
export interface MeshLogger {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** Logs nothing. */
export const silentLogger: MeshLogger = { info: () => {}, warn: () => {}, error: () => {} }
