import t from 'tap'
import { optionParam, optionsSchema, samplingFields, tokenLimit } from '../src/option-fields.ts'

const fieldsOf = (options: object) => samplingFields(optionsSchema.parse(options))

t.test('options become fields of a chat completion; what is left out is as Ollama has it', async t => {
  t.strictSame(fieldsOf({}), { temperature: 0.8, top_p: 0.9, top_k: 40 })
  t.match(
    fieldsOf({
      temperature: 0,
      top_p: 1,
      top_k: 0,
      min_p: 0.1,
      seed: 7,
      stop: ['\n'],
      repeat_penalty: 1.2,
      repeat_last_n: -1,
      presence_penalty: 0.5,
      frequency_penalty: 0.25
    }),
    {
      temperature: 0,
      top_p: 1,
      top_k: 0,
      min_p: 0.1,
      seed: 7,
      stop: ['\n'],
      repetition_penalty: 1.2,
      presence_penalty: 0.5,
      frequency_penalty: 0.25
    }
  )
  t.notOk('seed' in fieldsOf({ seed: -1 }), 'a seed that nobody knows')
  t.notOk('stop' in fieldsOf({ stop: [] }))
  t.notOk(
    'repetition_penalty' in fieldsOf({ repeat_penalty: 1.2, repeat_last_n: 0 }),
    'penalties on none of the tokens'
  )
})

t.test('as many tokens as fit, unless a number of them is asked for', async t => {
  const limitOf = (num_predict: number) => tokenLimit({ num_predict })
  t.equal(tokenLimit(undefined), undefined)
  t.strictSame([limitOf(-1), limitOf(-2), limitOf(0), limitOf(5)], [undefined, undefined, undefined, 5])
})

t.test(
  'what would change the answer and is not served is refused by name; what is off, or about loading, is not',
  async t => {
    for (const [options, param] of [
      [{ mirostat: 1 }, 'options.mirostat'],
      [{ typical_p: 0.5 }, 'options.typical_p'],
      [{ tfs_z: 0.5 }, 'options.tfs_z'],
      [{ repeat_penalty: 1.1, repeat_last_n: 64 }, 'options.repeat_last_n'],
      [{ presence_penalty: 1, penalize_newline: false }, 'options.penalize_newline']
    ] as const) {
      t.throws(() => fieldsOf(options), { code: 'invalid_request', details: { param } }, param)
    }
    t.doesNotThrow(() =>
      fieldsOf({ mirostat: 0, typical_p: 1, tfs_z: 1, repeat_penalty: 1, repeat_last_n: 64, num_ctx: 4096, num_gpu: 1 })
    )
  }
)

t.test('errors of a chat completion name the option', async t => {
  t.equal(optionParam('max_completion_tokens'), 'options.num_predict')
  t.equal(optionParam('stop[0]'), 'options.stop[0]')
  t.equal(optionParam('messages[0].content'), undefined)
})
