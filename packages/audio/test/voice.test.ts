import t from 'tap'
import { type SpeechRules, speechSpans, VOICE_FRAME_SAMPLES } from '../src/voice/speech-spans.ts'
import { VoiceActivity } from '../src/voice/voice-activity.ts'
import { reference, speech } from './support/fixtures.ts'

t.test('probabilities of speech are those of ONNX Runtime', async t => {
  const samples = speech()
  const voice = new VoiceActivity()
  const hear = (): number[] =>
    Array.from({ length: Math.ceil(samples.length / VOICE_FRAME_SAMPLES) }, (_, frame) =>
      voice.hear(samples.subarray(frame * VOICE_FRAME_SAMPLES))
    )
  const heard = hear()
  const expected = reference().voice.cases[0]?.probabilities ?? []
  t.equal(heard.length, expected.length)
  const errors = heard.map((value, frame) => Math.abs(value - (expected[frame] ?? 9)))
  t.ok(Math.max(...errors) < 1e-4, `they differ by ${Math.max(...errors)}`)
  voice.reset()
  t.strictSame(hear(), heard, 'the same again, once it has forgotten')
})

t.test('spans of speech are those of get_speech_timestamps', async t => {
  const { rules, cases } = reference().voice
  for (const { probabilities, total, spans } of cases) {
    for (const [index, rule] of rules.entries()) {
      const found = speechSpans(probabilities, total, rulesOf(rule)).map(({ start, end }) => [start, end])
      t.strictSame(found, spans[index], JSON.stringify(rule))
    }
  }
})

t.test('nothing was said', async t => {
  t.strictSame(speechSpans([], 0), [])
  t.strictSame(speechSpans(new Float32Array(100), 51_200), [])
})

/** Silero's names to ours. */
function rulesOf(rule: Readonly<Record<string, number>>): SpeechRules {
  const names: Readonly<Record<string, (value: number) => SpeechRules>> = {
    threshold: threshold => ({ threshold }),
    min_silence_duration_ms: silenceMsMin => ({ silenceMsMin }),
    min_speech_duration_ms: speechMsMin => ({ speechMsMin }),
    max_speech_duration_s: seconds => ({ speechMsMax: seconds * 1000 }),
    speech_pad_ms: paddingMs => ({ paddingMs })
  }
  return Object.assign({}, ...Object.entries(rule).map(([name, value]) => names[name]?.(value)))
}
