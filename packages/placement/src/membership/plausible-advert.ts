import type { Advert } from '@resultity/interface'

/** More than any machine has. */
const MEMORY_BYTES_MAX = 64 * 2 ** 40

/** 100 million 4-bit weights are 50 MB: faster than 10 TB/s reads no memory. */
const PROBE_MS_MIN = 0.005
/** The same for a layer of the smallest models; and a day is longer than any step. */
const LAYER_MS_MIN = 0.0005
const MS_MAX = 24 * 60 * 60 * 1000

/** An advert with the figures that are beyond belief put right, and their names. */
export interface PlausibleAdvert {
  readonly advert: Advert
  readonly corrected: readonly string[]
}

/**
 * The plausible part of an advert: no more memory than the machine says it has, no speed above that of any machine. A
 * node that lies within these bounds is found out by its self-test and by its failing placements.
 */
export function plausibleAdvert(advert: Advert): PlausibleAdvert {
  const corrected: string[] = []
  const bounded = (name: string, value: number, min: number, max: number): number => {
    const believed = Math.min(Math.max(value, min), max)
    if (believed !== value) corrected.push(`${name} ${value}`)
    return believed
  }
  /** 0 says that nothing was measured. */
  const measured = (name: string, value: number, min: number): number =>
    value === 0 ? 0 : bounded(name, value, min, MS_MAX)

  const { hardware } = advert
  const gpuBytes = hardware.gpus.reduce((sum, gpu) => sum + gpu.memoryBytes, 0)
  const machineBytes = Math.min(hardware.memoryBytes + gpuBytes, MEMORY_BYTES_MAX)
  const memoryOfferedBytes = bounded('memoryOfferedBytes', advert.memoryOfferedBytes, 0, machineBytes)
  return {
    advert: {
      ...advert,
      memoryOfferedBytes,
      memoryFreeBytes: bounded('memoryFreeBytes', advert.memoryFreeBytes, 0, memoryOfferedBytes),
      probeMsPer100M: measured('probeMsPer100M', advert.probeMsPer100M, PROBE_MS_MIN),
      stages: advert.stages.map(stage => ({
        ...stage,
        decodeMsPerLayer: measured('decodeMsPerLayer', stage.decodeMsPerLayer, LAYER_MS_MIN),
        sessionsOpen: bounded('sessionsOpen', stage.sessionsOpen, 0, stage.sessionsMax)
      }))
    },
    corrected
  }
}
