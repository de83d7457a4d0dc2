/** `run` of every item, `width` at a time, results in the order of the items. */
export async function inParallel<T, R>(items: readonly T[], width: number, run: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  let next = 0
  const worker = async (): Promise<void> => {
    for (;;) {
      const index = next++
      const item = items[index]
      if (item === undefined) return
      results[index] = await run(item)
    }
  }
  await Promise.all(Array.from({ length: width }, worker))
  return results
}
