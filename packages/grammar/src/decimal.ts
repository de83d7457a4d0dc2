/** A decimal number as an integer of its last digit's unit. */
export interface Decimal {
  readonly units: bigint
  /** Digits after the point. */
  readonly scale: number
}

/** The shortest decimal that is read as `value`. */
export function decimalOf(value: number): Decimal {
  const [mantissa = '0', exponent = '0'] = String(value).split('e')
  const [whole = '0', fraction = ''] = mantissa.split('.')
  const scale = fraction.length - Number(exponent)
  const units = BigInt(whole + fraction)
  return scale >= 0 ? { units, scale } : { units: units * 10n ** BigInt(-scale), scale: 0 }
}

/** In units of a digit that is no coarser than its own. */
export function rescaled({ units, scale }: Decimal, finest: number): bigint {
  return units * 10n ** BigInt(finest - scale)
}

/** The least number that both positive ones divide. */
export function commonMultiple(one: Decimal | undefined, other: Decimal): Decimal {
  if (one === undefined) return other
  const scale = Math.max(one.scale, other.scale)
  return { units: leastMultiple(rescaled(one, scale), rescaled(other, scale)), scale }
}

export function leastMultiple(one: bigint, other: bigint): bigint {
  return (one / greatestDivisor(one, other)) * other
}

function greatestDivisor(one: bigint, other: bigint): bigint {
  let [large, small] = [one, other]
  while (small !== 0n) [large, small] = [small, large % small]
  return large
}
