import t from 'tap'
import { chooseComponentWeights } from '../src/index.ts'

const stem = 'diffusion_pytorch_model'
const shards = (middle: (number: string) => string, count = 2): string[] =>
  Array.from({ length: count }, (_, index) => `${stem}${middle(`0000${index + 1}`)}.safetensors`)

t.test('the files of a component are chosen, of half precision where there is such', async t => {
  const whole = `${stem}.safetensors`
  const half = `${stem}.fp16.safetensors`
  const full = shards(number => `-${number}-of-00002`)
  const before = shards(number => `.fp16-${number}-of-00002`)
  const behind = shards(number => `-${number}-of-00002.fp16`)
  const cases: readonly [names: readonly string[], files: readonly string[]][] = [
    [[whole], [whole]],
    [[whole, half, `${stem}.bin`, `${stem}.non_ema.safetensors`], [half]],
    [full, full],
    [[...full].reverse(), full],
    [[...full, half], [half]],
    [[whole, ...before], before],
    [[...behind, ...full], behind],
    // an index says what the names say
    [[`${stem}.safetensors.index.json`, ...full], full],
    [[...before.slice(1), whole], [whole]],
    [[whole, ...full.slice(1)], [whole]]
  ]
  for (const [names, files] of cases)
    t.same(chooseComponentWeights(['config.json', ...names], stem), { files }, `${names}`)
})

t.test('what is there instead is named', async t => {
  const cases: readonly [names: readonly string[], problem: RegExp][] = [
    [[], /has no weights: no diffusion_pytorch_model\.safetensors/],
    [[`${stem}.bin`], /pickle only: diffusion_pytorch_model\.bin/],
    [[`${stem}.non_ema.safetensors`], /has no weights/],
    [shards(number => `-${number}-of-00003`), /lacks diffusion_pytorch_model-00003-of-00003/],
    [shards(number => `-${number}-of-99999`), /has no weights/],
    [shards(number => `-${number}-of-00000`), /has no weights/],
    [['model.onnx'], /a format that is not read/]
  ]
  for (const [names, problem] of cases) t.match(chooseComponentWeights(names, stem), { problem }, `${names}`)
})
