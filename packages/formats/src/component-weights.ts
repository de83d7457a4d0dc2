import { isNumberedShard, SHARDS_MAX, type WeightChoice, withoutWeights } from './weight-choice.ts'

/** The version of a component's weights in half precision, as diffusers names it. */
const HALF = '.fp16'

/**
 * Chooses the weight files of one component of a diffusers folder from the names in it. Where the publisher gives half precision
 * beside full, that is taken: half as much is fetched.
 *
 * @param stem of the file's name, such as `diffusion_pytorch_model`
 */
export function chooseComponentWeights(names: readonly string[], stem: string): WeightChoice {
  const missing: string[] = []
  for (const variant of [HALF, '']) {
    const whole = `${stem}${variant}.safetensors`
    if (names.includes(whole)) return { files: [whole] }
    const shards = shardsOf(names, stem, variant)
    const absent = shards.filter(name => !names.includes(name))
    if (shards.length > 0 && absent.length === 0) return { files: shards }
    missing.push(...absent)
  }
  if (missing.length === 0) return withoutWeights(names, `${stem}.safetensors`)
  const problem = `lacks ${missing.slice(0, 8).join(', ')}`
  return { problem, hint: 'Download all files of the model into one folder.' }
}

/** The shards that there should be, by what one of them says; their number stands before the variant, or behind it. */
function shardsOf(names: readonly string[], stem: string, variant: string): string[] {
  for (const [before, behind] of [
    [variant, ''],
    ['', variant]
  ] as const) {
    const beginning = `${stem}${before}-`
    const ending = `${behind}.safetensors`
    const shard = names.find(
      name =>
        name.startsWith(beginning) &&
        name.endsWith(ending) &&
        isNumberedShard(`${name.slice(0, -ending.length)}.safetensors`)
    )
    const digits = shard?.slice(0, -ending.length).slice(-5)
    const count = Number(digits)
    if (digits === undefined || count < 1 || count > SHARDS_MAX) continue
    return Array.from(
      { length: count },
      (_, index) => `${beginning}${String(index + 1).padStart(5, '0')}-of-${digits}${ending}`
    )
  }
  return []
}
