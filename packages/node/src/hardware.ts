import { existsSync } from 'node:fs'
import { arch, availableParallelism, cpus, platform, totalmem } from 'node:os'
import { type Advert, UNPRINTABLE } from '@resultity/interface'
import type { Systeminformation } from 'systeminformation'

export type Hardware = Advert['hardware']

/** Share of the memory that is available at start which a node offers when its operator names no figure. */
const DEFAULT_MEMORY_SHARE = 0.8

const MIB = 1024 * 1024

/** Hardware of this machine, as the operating system reports it. Probing the GPUs takes up to some seconds. */
export async function probeHardware(executionProviders: readonly string[]): Promise<Hardware> {
  const controllers = mayHaveGpu() ? await graphicsControllers() : []
  return {
    platform: platform(),
    architecture: arch(),
    cpuModel: printable(cpus()[0]?.model ?? '', 256) || 'unknown',
    cpuCores: availableParallelism(),
    memoryBytes: totalmem(),
    gpus: controllers
      // a virtual display adapter has no memory to compute in
      .filter(controller => (controller.vram ?? 0) > 0 || controller.memoryTotal !== undefined)
      .slice(0, 64)
      .map(controller => ({
        vendor: printable(controller.vendor, 128),
        model: printable(controller.model, 256),
        memoryBytes: Math.round((controller.memoryTotal ?? controller.vram ?? 0) * MIB)
      })),
    executionProviders: [...executionProviders]
  }
}

/** A name from firmware, in a form that an advert may contain. */
function printable(name: string, charactersMax: number): string {
  return name.replaceAll(new RegExp(UNPRINTABLE, 'gu'), ' ').trim().slice(0, charactersMax)
}

async function graphicsControllers(): Promise<Systeminformation.GraphicsControllerData[]> {
  const { graphics } = await systemInformation()
  return (await graphics()).controllers
}

/** Loaded only where it is needed: a node that has it keeps 3 MB more. CommonJS, so in a bundle it has no named exports. */
async function systemInformation(): Promise<typeof import('systeminformation')> {
  const { default: library } = await import('systeminformation')
  return library
}

/** Devices that a process on Linux opens to use a GPU: of NVIDIA, of AMD's compute driver, of any other, of WSL. */
const LINUX_GPU_DEVICES = ['/dev/nvidiactl', '/dev/kfd', '/dev/dri', '/dev/dxg']

/** Looking closer starts half a dozen programs, which takes longer than the rest of a node's start. */
function mayHaveGpu(): boolean {
  return platform() !== 'linux' || LINUX_GPU_DEVICES.some(path => existsSync(path))
}

/** Bytes that a node offers when its operator names no figure: most of the memory available now. */
export async function defaultMemoryOffer(): Promise<number> {
  const { mem } = await systemInformation()
  const { available } = await mem()
  return Math.floor(available * DEFAULT_MEMORY_SHARE)
}
