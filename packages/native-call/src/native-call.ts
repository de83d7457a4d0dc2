import type { KoffiFunc } from 'koffi'

/** What the calls under way were given. */
const underWay = new Set<readonly unknown[]>()

/**
 * Calls a native function on a thread of libuv's pool. The FFI library passes the addresses of buffers and strings on and
 * keeps none of them: this holds `args` until the call is over, and `owners`, on which what they point at depends.
 *
 * @param done called once, when the call is over or could not begin; `error` is null where it was made
 */
export function callAsync<Native extends (...args: never[]) => unknown>(
  native: KoffiFunc<Native>,
  args: Parameters<Native>,
  done: (error: unknown, result: ReturnType<Native> | undefined) => void,
  owners: readonly object[] = []
): void {
  const held = [args, owners]
  underWay.add(held)
  const end = (error: unknown, result: ReturnType<Native> | undefined): void => {
    underWay.delete(held)
    done(error, result)
  }
  try {
    native.async(...args, end)
  } catch (error) {
    // too many calls wait; the caller must have returned before it gets the error
    queueMicrotask(() => end(error, undefined))
  }
}
