import type { Spinning } from '@resultity/onnx-runtime'
import { refuseTelemetry, sessionEntries } from '@resultity/onnx-runtime'
import type { ProcessTuning } from '@resultity/runtime-tuning'
import { InferenceSession } from 'onnxruntime-node'
import type { GraphSource } from '../graph-source.ts'

/** A graph loaded by onnxruntime-node, set up as the C API's sessions are. */
export function createNodeSession(
  {
    graph,
    folder
  }: Partial<Pick<GraphSource<{ readonly bytes: Uint8Array }>, 'folder'>> & {
    readonly graph: { readonly bytes: Uint8Array }
  },
  { threads, spinning }: { readonly threads: number; readonly spinning: Spinning },
  tuning: ProcessTuning
): Promise<InferenceSession> {
  refuseTelemetry()
  return InferenceSession.create(graph.bytes, {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 4,
    extra: nested(
      sessionEntries({
        threads,
        spinning,
        ...(folder === undefined ? {} : { folder }),
        affinities: tuning.threadAffinities(threads)
      })
    )
  })
}

/** `{ 'a.b': v }` as `{ a: { b: v } }`, the form in which onnxruntime-node takes configuration entries. */
function nested(entries: Readonly<Record<string, string>>): Record<string, unknown> {
  const root: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(entries)) {
    const parts = key.split('.')
    let level = root
    for (const part of parts.slice(0, -1)) {
      const next: Record<string, unknown> = isRecord(level[part]) ? level[part] : {}
      level[part] = next
      level = next
    }
    level[parts.at(-1) ?? key] = value
  }
  return root
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
