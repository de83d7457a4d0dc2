import koffi, { type KoffiFunc, type LibraryHandle } from 'koffi'

/** A native address. */
export type Pointer = bigint

/** What every fallible function of the C API returns: null for success, else an OrtStatus to read and release. */
export type Status = Pointer | null

/** Receives a pointer: an array of one that the callee writes to. */
export type PointerOut = BigUint64Array

/**
 * Version of the C API asked for. The function table of an older version is a prefix of every newer one's, so any
 * library from this version on serves.
 */
export const ORT_API_VERSION = 22

/** The highest position read from the function table. */
const LAST_POSITION = 165

/** The functions of ONNX Runtime's C API that the engine calls. Names and order of arguments are the header's. */
export interface OrtApi {
  getErrorMessage(status: Pointer): string
  createEnv(logLevel: number, logId: string, out: PointerOut): Status
  readonly createSessionFromArray: KoffiFunc<
    (env: Pointer, graph: Uint8Array, graphBytes: number, options: Pointer, out: PointerOut) => Status
  >
  createSessionOptions(out: PointerOut): Status
  setSessionGraphOptimizationLevel(options: Pointer, level: number): Status
  setIntraOpNumThreads(options: Pointer, threads: number): Status
  setInterOpNumThreads(options: Pointer, threads: number): Status
  createRunOptions(out: PointerOut): Status
  runOptionsSetTerminate(options: Pointer): Status
  runOptionsUnsetTerminate(options: Pointer): Status
  createTensorWithDataAsOrtValue(
    memoryInfo: Pointer,
    data: ArrayBufferView,
    dataBytes: number,
    shape: BigInt64Array,
    dimensions: number,
    elementType: number,
    out: PointerOut
  ): Status
  createCpuMemoryInfo(allocatorType: number, memoryType: number, out: PointerOut): Status
  releaseStatus(status: Pointer): void
  releaseSession(session: Pointer): void
  releaseValue(value: Pointer): void
  releaseRunOptions(options: Pointer): void
  releaseSessionOptions(options: Pointer): void
  getTensorMutableData(value: Pointer, out: PointerOut): Status
  getTensorTypeAndShape(value: Pointer, out: PointerOut): Status
  getTensorElementType(info: Pointer, out: Int32Array): Status
  getTensorShapeElementCount(info: Pointer, out: BigUint64Array): Status
  releaseTensorTypeAndShapeInfo(info: Pointer): void
  getAllocatorWithDefaultOptions(out: PointerOut): Status
  allocatorFree(allocator: Pointer, memory: Pointer): Status
  getAvailableProviders(out: PointerOut, count: Int32Array): Status
  releaseAvailableProviders(list: Pointer, count: number): Status
  addSessionConfigEntry(options: Pointer, key: string, value: string): Status
  readonly runWithBinding: KoffiFunc<(session: Pointer, runOptions: Pointer, binding: Pointer) => Status>
  createIoBinding(session: Pointer, out: PointerOut): Status
  releaseIoBinding(binding: Pointer): void
  bindInput(binding: Pointer, name: string, value: Pointer): Status
  bindOutput(binding: Pointer, name: string, value: Pointer): Status
  /** The runtime allocates the output; in what memory is said by `memoryInfo`. */
  bindOutputToDevice(binding: Pointer, name: string, memoryInfo: Pointer): Status
  /** An array of values, from `allocator`. */
  getBoundOutputValues(binding: Pointer, allocator: Pointer, out: PointerOut, count: BigUint64Array): Status
  addRunConfigEntry(options: Pointer, key: string, value: string): Status
}

/**
 * Reads the function table of a loaded library.
 *
 * The numbers are positions in `struct OrtApi`, counted from 0 in onnxruntime_c_api.h; the struct only ever grows at
 * its end.
 *
 * @returns undefined when the library is too old for {@link ORT_API_VERSION}
 */
export function readOrtApi(library: LibraryHandle): OrtApi | undefined {
  // struct OrtApiBase { const OrtApi *(*GetApi)(uint32_t version); const char *(*GetVersionString)(void); }
  const base = library.func('OrtGetApiBase', 'void *', [])()
  const getApi = koffi.decode(koffi.decode(base, 'void *'), koffi.proto('void *', ['uint32_t']))
  const table: Pointer | null = getApi(ORT_API_VERSION)
  if (table === null) return undefined
  const slots: Pointer[] = koffi.decode(table, koffi.array('void *', LAST_POSITION + 1))
  const at = (position: number, result: string, ...parameters: string[]) =>
    koffi.decode(slots[position], koffi.proto(result, parameters))
  const fallible = (position: number, ...parameters: string[]) => at(position, 'void *', ...parameters)
  const release = (position: number) => at(position, 'void', 'void *')
  return {
    getErrorMessage: at(2, 'str', 'void *'),
    createEnv: fallible(3, 'int', 'str', 'void *'),
    createSessionFromArray: fallible(8, 'void *', 'void *', 'size_t', 'void *', 'void *'),
    createSessionOptions: fallible(10, 'void *'),
    setSessionGraphOptimizationLevel: fallible(23, 'void *', 'int'),
    setIntraOpNumThreads: fallible(24, 'void *', 'int'),
    setInterOpNumThreads: fallible(25, 'void *', 'int'),
    createRunOptions: fallible(39, 'void *'),
    runOptionsSetTerminate: fallible(46, 'void *'),
    runOptionsUnsetTerminate: fallible(47, 'void *'),
    createTensorWithDataAsOrtValue: fallible(49, 'void *', 'void *', 'size_t', 'void *', 'size_t', 'int', 'void *'),
    getTensorMutableData: fallible(51, 'void *', 'void *'),
    getTensorElementType: fallible(60, 'void *', 'void *'),
    getTensorShapeElementCount: fallible(64, 'void *', 'void *'),
    getTensorTypeAndShape: fallible(65, 'void *', 'void *'),
    createCpuMemoryInfo: fallible(69, 'int', 'int', 'void *'),
    allocatorFree: fallible(76, 'void *', 'void *'),
    getAllocatorWithDefaultOptions: fallible(78, 'void *'),
    releaseStatus: release(93),
    releaseSession: release(95),
    releaseValue: release(96),
    releaseRunOptions: release(97),
    releaseTensorTypeAndShapeInfo: release(99),
    releaseSessionOptions: release(100),
    getAvailableProviders: fallible(125, 'void *', 'void *'),
    releaseAvailableProviders: fallible(126, 'void *', 'int'),
    addSessionConfigEntry: fallible(130, 'void *', 'str', 'str'),
    runWithBinding: fallible(133, 'void *', 'void *', 'void *'),
    createIoBinding: fallible(134, 'void *', 'void *'),
    releaseIoBinding: release(135),
    bindInput: fallible(136, 'void *', 'str', 'void *'),
    bindOutput: fallible(137, 'void *', 'str', 'void *'),
    bindOutputToDevice: fallible(138, 'void *', 'str', 'void *'),
    getBoundOutputValues: fallible(140, 'void *', 'void *', 'void *', 'void *'),
    addRunConfigEntry: fallible(LAST_POSITION, 'void *', 'str', 'str')
  }
}
