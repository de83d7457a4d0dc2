import { buildClipSightGraph, buildPriorGraph, UNSEEN } from '@resultity/diffusion-model'
import { type Comparison, type EncodedText, floats, type TinyModel } from './diffusion-parity.ts'

/** Compares a prior, layer by layer, and what looks at pictures beside it, where a model has them. */
export async function comparePrior(model: TinyModel, comparison: Comparison, text: EncodedText): Promise<void> {
  const { prior, textEncoders } = model.manifest.config
  if (prior === undefined) return
  const sight = buildClipSightGraph(model.init())
  const { pictureSize: side } = prior.sight
  for (const [name, pixels] of [
    ['sight.embedding', comparison.wanted('sight.pixels')],
    ['sight.nothing', new Float32Array(3 * side * side)]
  ] as const) {
    const results = await model.run(sight.bytes, { [sight.pixels]: floats(pixels, [1, 3, side, side]) })
    comparison.compare(name, results.get(sight.embedding))
  }
  const watched = Array.from({ length: prior.layerCount }, (_, index) => `layer.${index}`)
  const graph = buildPriorGraph(model.init(watched))
  const tokens = comparison.reference.tokens[0] ?? []
  const count = tokens.indexOf(textEncoders[0]?.endToken ?? 0) + 1
  const mask = Float32Array.from(tokens, (_, at) => (at < count ? 0 : UNSEEN))
  const row = [1, prior.embeddingSize]
  const results = await model.run(graph.bytes, {
    [graph.noisy]: floats(comparison.wanted('prior.noisy'), row),
    [graph.timestep]: floats(Float32Array.of(comparison.reference.timestep), [1]),
    [graph.states]: floats(text.states, [text.length, prior.embeddingSize]),
    [graph.pooled]: floats(text.pooled ?? new Float32Array(), row),
    [graph.mask]: floats(mask, [1, mask.length])
  })
  for (const path of graph.layers) comparison.compare(`prior.${path}`, results.get(path))
  comparison.compare('prior.prediction', results.get(graph.prediction))
  comparison.compare('prior.embedding', results.get(graph.embedding))
}
