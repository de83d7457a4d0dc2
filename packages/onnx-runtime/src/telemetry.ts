/**
 * Keeps ONNX Runtime from reporting to its maker. From 1.29 on its builds for Linux and macOS identify the machine in a
 * file of the user's cache, collect what is loaded and run, and upload it, unless this variable is set before the
 * library starts (microsoft/onnxruntime, pull request 27379). A user who wants the reports sets it to 0.
 *
 * To be called on the main thread: a worker's environment is a copy that the library does not see.
 */
export function refuseTelemetry(): void {
  process.env.ORT_DISABLE_TELEMETRY ??= '1'
}
