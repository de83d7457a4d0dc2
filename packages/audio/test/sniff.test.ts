import t from 'tap'
import { sniffAudio } from '../src/decoding/sniff.ts'
import { fixture } from './support/fixtures.ts'

t.test('a file is what its bytes say', async t => {
  const files = {
    'jfk.wav': 'wav',
    'jfk.mp3': 'mp3',
    'tone-16000.mp3': 'mp3',
    'tone-44100.flac': 'flac',
    'tone-opus.ogg': 'ogg',
    'tone-vorbis.ogg': 'ogg',
    'tone-opus.webm': 'webm',
    'tone-opus.mp4': 'mp4',
    'tone-aac.m4a': 'mp4'
  }
  for (const [name, container] of Object.entries(files)) t.equal(sniffAudio(fixture(name)), container, name)
})

t.test('tags and what is left of a cut stream may lie before the sound', async t => {
  const tag = Uint8Array.of(0x49, 0x44, 0x33, 4, 0, 0, 0, 0, 1, 2, ...new Uint8Array(130))
  t.equal(sniffAudio(Buffer.concat([tag, fixture('tone-16000.mp3')])), 'mp3')
  t.equal(sniffAudio(Buffer.concat([tag, fixture('tone-44100.flac')])), 'flac')
  t.equal(sniffAudio(Buffer.concat([Buffer.alloc(999), fixture('tone-16000.mp3')])), 'mp3')
})

t.test('what ffmpeg decodes is named', async t => {
  const files = {
    aiff: 'FORM....AIFC',
    aac: '\xff\xf1\x50\x80\x02\x1f\xfc',
    amr: '#!AMR-WB\n',
    ape: 'MAC \x96\x0f',
    au: '.snd\x00\x00\x00\x18',
    caf: 'caff\x00\x01\x00\x00',
    rifx: 'RIFX....WAVE',
    wavpack: 'wvpk',
    wma: '\x30\x26\xb2\x75\x8e\x66'
  }
  for (const [container, text] of Object.entries(files)) t.equal(sniffAudio(Buffer.from(text, 'latin1')), container)
})

t.test('what is not decoded is named', async t => {
  const files: [string, string, RegExp][] = [
    ['', 'empty', /the file is empty/],
    ['RIFF....AVI LIST', 'unsupported', /AVI/],
    ['MThd\x00\x00', 'unsupported', /MIDI/],
    ['\x89PNG\r\n', 'not_audio', /a PNG picture/],
    ['<!DOCTYPE html>', 'not_audio', /an HTML page/],
    ['{"error": 1}', 'not_audio', /JSON/],
    ['just some text that is no audio at all', 'not_audio', /6a75737420736f6d/],
    ['\xff\xfb\x90\x00 one head of a frame is none', 'not_audio', /no audio/],
    ['ID3\x04\x00\x00\x00\x00\x00\x00 a tag and nothing behind it', 'damaged', /a tag/]
  ]
  for (const [text, fault, message] of files) {
    const expected = { code: 'invalid_request', message, details: { param: 'file', fault } }
    t.throws(() => sniffAudio(Buffer.from(text, 'latin1')), expected, `${message}`)
  }
})
