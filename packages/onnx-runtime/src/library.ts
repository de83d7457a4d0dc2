import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { MeshError } from '@resultity/interface'
import koffi, { type LibraryHandle } from 'koffi'
import { ORT_API_VERSION, type OrtApi, readOrtApi } from './ort-api.ts'
import { refuseTelemetry } from './telemetry.ts'

/** File name of the shared library inside onnxruntime-node, per platform. */
const libraryNames: Readonly<Record<string, string>> = {
  linux: 'libonnxruntime.so.1',
  darwin: 'libonnxruntime.dylib',
  win32: 'onnxruntime.dll'
}

/** Path of the ONNX Runtime that onnxruntime-node ships, or undefined where it ships none for this machine. */
export function findLibrary(): string | undefined {
  const name = libraryNames[process.platform]
  if (name === undefined) return undefined
  const require = createRequire(import.meta.url)
  const packageDir = dirname(require.resolve('onnxruntime-node/package.json'))
  const path = join(packageDir, 'bin', 'napi-v6', process.platform, process.arch, name)
  return existsSync(path) ? path : undefined
}

export interface OrtLibrary {
  readonly api: OrtApi
  /** Keep it referenced as long as `api` is used: koffi unloads a library that is collected, and knows none of its pointers. */
  readonly handle: LibraryHandle
}

/** @throws MeshError `engine_failed` when there is no library for this machine, or it is too old */
export function loadOrtLibrary(): OrtLibrary {
  const path = findLibrary()
  if (path === undefined) {
    throw new MeshError('engine_failed', `onnxruntime-node has no library for ${process.platform} ${process.arch}`, {
      hint: 'run on linux, darwin or win32 with x64 or arm64, or install dependencies again'
    })
  }
  refuseTelemetry()
  const handle = koffi.load(path)
  const api = readOrtApi(handle)
  if (api === undefined) {
    throw new MeshError('engine_failed', `${path} does not have version ${ORT_API_VERSION} of its C API`, {
      hint: 'install onnxruntime-node as package-lock.json pins it'
    })
  }
  return { api, handle }
}
