import Table from 'cli-table3'
import type { SpeechReport } from './speech.ts'
import type { MemoryStretch } from './speech-mesh.ts'

const MIB = 1024 * 1024

/** The report as tables for a terminal. */
export function renderSpeech(report: SpeechReport): string {
  const { threads, rounds, listeners, voice, nodes, memory, missed } = report
  const parts = [`${threads} threads, medians of ${rounds} rounds`]
  if (listeners.length > 0) parts.push(listenersTable(listeners))
  if (voice !== undefined) {
    const { soundSeconds, seconds, firstSeconds, realTimeFactor } = voice
    parts.push(
      `${soundSeconds.toFixed(1)} s of speech in ${seconds.toFixed(2)} s: real-time factor ${realTimeFactor.toFixed(3)}, first sound after ${firstSeconds.toFixed(2)} s`
    )
  }
  if (nodes.length > 0) parts.push(nodesTable(report))
  if (memory.length > 0) parts.push(memoryTable(memory))
  return [...parts, missed.length === 0 ? 'all texts are the same' : `missed: ${missed.join('; ')}`, ''].join('\n')
}

function listenersTable(listeners: SpeechReport['listeners']): string {
  const table = new Table({
    head: ['model', '', 'words', 'features ms', 'encoder ms', 'decoder ms', 'both ms', 'of ours', 'text'],
    style: { head: [], border: [] }
  })
  for (const { model, name, words, features, encoder, decoder, ratio, sameText } of listeners) {
    table.push([
      model,
      name,
      words ? 'on' : 'off',
      ...[features, encoder, decoder, encoder + decoder].map(seconds => (1000 * seconds).toFixed(0)),
      ratio?.toFixed(2) ?? '',
      sameText ? 'the same' : 'differs'
    ])
  }
  return table.toString()
}

function nodesTable({ nodes, minutes }: SpeechReport): string {
  const head = ['nodes', `seconds, ${minutes} min`, 'times real time', 'speedup', 'words', 'text']
  const table = new Table({ head, style: { head: [], border: [] } })
  for (const { nodes: count, killed, seconds, speedup, words, sameText } of nodes) {
    const times = (60 * minutes) / seconds
    table.push([
      killed ? `${count}, one killed midway` : count,
      seconds.toFixed(1),
      times.toFixed(1),
      speedup.toFixed(2),
      words,
      sameText ? 'the same' : 'differs'
    ])
  }
  return table.toString()
}

function memoryTable(memory: SpeechReport['memory']): string {
  const table = new Table({
    head: ['minutes heard', 'coordinator MiB, peak', 'after', 'node MiB, peak', 'after'],
    style: { head: [], border: [] }
  })
  const mib = ({ peakBytes, afterBytes }: MemoryStretch): string[] =>
    [peakBytes, afterBytes].map(bytes => (bytes / MIB).toFixed(0))
  for (const { minutes, coordinator, node } of memory) table.push([minutes, ...mib(coordinator), ...mib(node)])
  return table.toString()
}
