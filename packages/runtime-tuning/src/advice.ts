import { callAsync } from '@resultity/native-call'
import koffi, { type KoffiFunc } from 'koffi'

/** Advice of Linux's `madvise`, by the numbers of its headers. */
export const Advice = {
  /** A page that is read brings none from the disk beside it. */
  random: 1,
  /** Pages of a mapped file leave this process and come back from the page cache when read. */
  dontNeed: 4,
  /** Memory that is touched from now on comes in huge pages where there are any. */
  hugePage: 14,
  /** What is there already is moved into huge pages, before the call returns. */
  collapse: 25
} as const

let madvise: KoffiFunc<(address: bigint, bytes: number, advice: number) => number> | undefined

function madviseOf(): KoffiFunc<(address: bigint, bytes: number, advice: number) => number> {
  madvise ??= koffi.load(null).func('madvise', 'int', ['uintptr_t', 'size_t', 'int'])
  return madvise
}

/** Advises the system on memory of ours; a refusal costs speed or memory and nothing else. Linux only. */
export function advise(address: bigint, bytes: number, advice: number): void {
  if (process.platform === 'linux') madviseOf()(address, bytes, advice)
}

/** The same, off the event loop. */
export async function adviseAsync(address: bigint, bytes: number, advice: number): Promise<void> {
  if (process.platform !== 'linux') return
  const { promise, resolve } = Promise.withResolvers<void>()
  callAsync(madviseOf(), [address, bytes, advice], () => resolve())
  await promise
}
