/** A value that an operation carries itself, and the bytes that it stands in. */
export interface CarriedValue {
  readonly value: null | boolean | number
  readonly bytes: number
}

/**
 * What an operation of a pickle carries that is a number, a truth or nothing; undefined for any other operation. A number that
 * breaks off is read as one that does not: what follows it breaks off for sure.
 */
export function readNumbers(operation: string, view: DataView, at: number): CarriedValue | undefined {
  const has = (bytes: number): boolean => at + bytes <= view.byteLength
  switch (operation) {
    case 'N':
      return { value: null, bytes: 0 }
    case '\x88':
      return { value: true, bytes: 0 }
    case '\x89':
      return { value: false, bytes: 0 }
    case 'K':
      return has(1) ? { value: view.getUint8(at), bytes: 1 } : undefined
    case 'M':
      return has(2) ? { value: view.getUint16(at, true), bytes: 2 } : undefined
    case 'J':
      return has(4) ? { value: view.getInt32(at, true), bytes: 4 } : undefined
    case 'G':
      return has(8) ? { value: view.getFloat64(at), bytes: 8 } : undefined
    case '\x8a':
      return has(1) ? longInteger(view, at) : undefined
    default:
      return undefined
  }
}

/** A whole number of so many bytes as the first says, little endian, the last one signed. */
function longInteger(view: DataView, at: number): CarriedValue | undefined {
  const length = view.getUint8(at)
  if (length > 8 || at + 1 + length > view.byteLength) return undefined
  let value = 0
  for (let index = 0; index < length; index++) value += view.getUint8(at + 1 + index) * 256 ** index
  const negative = length > 0 && view.getUint8(at + length) >= 128
  return { value: negative ? value - 256 ** length : value, bytes: 1 + length }
}
