import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { MeshError } from '@resultity/interface'

/** Prebuilt llama.cpp of this release; only the CPU build, which is inside the package. */
const NODE_LLAMA_CPP_VERSION = '3.22.1'

/** The part of node-llama-cpp that the benchmark drives; it is installed on demand, so its types are not here. */
interface LlamaModule {
  getLlama(options: { gpu: false; build: 'never'; logLevel: 'error' }): Promise<{
    loadModel(options: { modelPath: string; gpuLayers: 0 }): Promise<{
      createContext(options: { contextSize: number; batchSize: number; threads: number }): Promise<{
        getSequence(): LlamaSequence
      }>
    }>
  }>
}

/** One sequence of llama.cpp's KV cache. */
export interface LlamaSequence {
  clearHistory(): Promise<void>
  evaluateWithoutGeneratingNewTokens(tokens: readonly number[]): Promise<void>
}

/**
 * Opens `modelPath` in llama.cpp, which is installed below `cacheDir` first when it is not there.
 *
 * @throws MeshError `unavailable` when it can be neither found nor installed
 */
export async function openLlamaCpp(modelPath: string, cacheDir: string, threads: number): Promise<LlamaSequence> {
  const module = await loadModule(await install(cacheDir))
  const llama = await module.getLlama({ gpu: false, build: 'never', logLevel: 'error' })
  const model = await llama.loadModel({ modelPath, gpuLayers: 0 })
  const context = await model.createContext({ contextSize: 1024, batchSize: 512, threads })
  return context.getSequence()
}

async function install(cacheDir: string): Promise<string> {
  const dir = join(cacheDir, `node-llama-cpp-${NODE_LLAMA_CPP_VERSION}`)
  if (existsSync(join(dir, 'node_modules', 'node-llama-cpp'))) return dir
  await mkdir(dir, { recursive: true })
  await writeFile(join(dir, 'package.json'), '{"private":true}\n')
  const packages = [
    `node-llama-cpp@${NODE_LLAMA_CPP_VERSION}`,
    `@node-llama-cpp/${platformPackage()}@${NODE_LLAMA_CPP_VERSION}`
  ]
  try {
    await promisify(execFile)(
      'npm',
      ['install', '--omit=optional', '--ignore-scripts', '--no-audit', '--no-fund', ...packages],
      {
        cwd: dir,
        timeout: 300_000
      }
    )
  } catch (cause) {
    throw new MeshError('unavailable', `llama.cpp could not be installed into ${dir}`, {
      cause,
      hint: 'check the network, or leave it out with --without llama.cpp'
    })
  }
  return dir
}

function platformPackage(): string {
  const platform = process.platform === 'darwin' ? 'mac' : process.platform === 'win32' ? 'win' : 'linux'
  return `${platform}-${process.arch}${platform === 'mac' ? '-metal' : ''}`
}

async function loadModule(dir: string): Promise<LlamaModule> {
  const entry = createRequire(join(dir, 'package.json')).resolve('node-llama-cpp')
  return import(pathToFileURL(entry).href)
}
