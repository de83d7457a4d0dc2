export { CT2_WEIGHTS, isCt2Folder, openCt2Whisper, openHubWhisper } from './import/open-whisper.ts'
export { planWhisperFiles } from './import/weight-files.ts'
export type { WhisperSource } from './import/whisper-source.ts'
