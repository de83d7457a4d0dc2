export { assertProperty, type PropertyRuns } from './assert-property.ts'
export { hardTexts } from './hard-texts.ts'
export { DEFAULT_SEED, SEED_MAX, SEED_VARIABLE, seedFrom, testSeed } from './seed.ts'
