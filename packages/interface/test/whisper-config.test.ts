import t from 'tap'
import { safeParse, type WhisperConfig, whisperConfigSchema } from '../src/index.ts'

const config: WhisperConfig = {
  melBins: 80,
  audioContext: 1500,
  textContext: 448,
  hiddenSize: 384,
  encoderLayerCount: 4,
  encoderHeadCount: 6,
  encoderFeedForwardSize: 1536,
  decoderLayerCount: 4,
  decoderHeadCount: 6,
  decoderFeedForwardSize: 1536,
  vocabularySize: 51_865,
  multilingual: true,
  tokens: {
    startOfTranscript: 50_258,
    endOfText: 50_257,
    transcribe: 50_359,
    translate: 50_358,
    noSpeech: 50_362,
    noTimestamps: 50_363,
    firstTimestamp: 50_364,
    startOfPrevious: 50_361
  },
  languages: { en: 50_259, haw: 50_352 },
  suppress: [1, 2, 7],
  suppressAtBegin: [220, 50_257],
  alignmentHeads: [
    [2, 2],
    [3, 5]
  ]
}

const cases: readonly { readonly says: string; readonly change: Partial<WhisperConfig>; readonly path?: string }[] = [
  { says: 'as published', change: {} },
  { says: 'English only', change: { multilingual: false, languages: {} } },
  { says: 'more than 30 s at once', change: { audioContext: 1501 }, path: 'audioContext' },
  { says: 'heads that share nothing evenly', change: { encoderHeadCount: 7 }, path: 'encoderHeadCount' },
  { says: 'the same in the decoder', change: { decoderHeadCount: 5 }, path: 'decoderHeadCount' },
  { says: 'a head of a layer that is not there', change: { alignmentHeads: [[4, 0]] }, path: 'alignmentHeads.0' },
  { says: 'a head that the layer lacks', change: { alignmentHeads: [[3, 6]] }, path: 'alignmentHeads.0' },
  { says: 'no head to tell times by', change: { alignmentHeads: [] }, path: 'alignmentHeads' },
  {
    says: 'too little vocabulary for its timestamps',
    change: { vocabularySize: 51_864 },
    path: 'tokens.firstTimestamp'
  },
  { says: 'a token outside the vocabulary', change: { suppress: [51_865] }, path: 'vocabularySize' },
  { says: 'a language outside of it', change: { languages: { en: 60_000 } }, path: 'vocabularySize' },
  { says: 'a language with no code', change: { languages: { English: 50_259 } }, path: 'languages.English' },
  { says: 'many languages, and none listed', change: { languages: {} }, path: 'languages' },
  { says: 'English only, and languages listed', change: { multilingual: false }, path: 'languages' },
  {
    says: 'more tokens left out than are looked at',
    change: { suppress: new Array<number>(1025).fill(1) },
    path: 'suppress'
  }
]

for (const { says, change, path } of cases) {
  t.test(`a configuration of a Whisper: ${says}`, async t => {
    const parsed = safeParse(whisperConfigSchema, { ...config, ...change })
    t.equal(parsed.success ? undefined : parsed.error.issues[0]?.path.join('.'), path)
  })
}
