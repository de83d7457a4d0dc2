/** The level of a frequency in some samples: the amplitude of a sine that is nothing else. */
export function levelOf(samples: Float32Array, hertz: number, rate = 16_000): number {
  let cosine = 0
  let sine = 0
  for (const [at, sample] of samples.entries()) {
    cosine += sample * Math.cos((2 * Math.PI * hertz * at) / rate)
    sine += sample * Math.sin((2 * Math.PI * hertz * at) / rate)
  }
  return (2 * Math.hypot(cosine, sine)) / samples.length
}

export function sineOf(hertz: number, rate: number, seconds: number, amplitude = 1): Float32Array {
  const length = Math.round(rate * seconds)
  return Float32Array.from({ length }, (_, at) => amplitude * Math.sin((2 * Math.PI * hertz * at) / rate))
}
