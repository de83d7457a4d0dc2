export { type KokoroFiles, type KokoroVoice, kokoroAt, openKokoro } from './import/open-kokoro.ts'
export { openPiperVoice, type PiperVoice, piperVoiceAt } from './import/open-piper.ts'
export { VOICE_BYTES_MAX } from './import/voice-file.ts'
export { type VoiceMemory, voiceMemory, voiceWork } from './voice-memory.ts'
