import type { ModelShape, PlannerNode } from '../../src/index.ts'

export const MIB = 2 ** 20

/** A model of layers of one MiB. */
export function model(layers: number, overrides: Partial<ModelShape> = {}): ModelShape {
  return {
    layerBytes: Array.from({ length: layers }, () => MIB),
    embeddingBytes: 0,
    headBytes: 0,
    tiedEmbedding: false,
    kvBytesPerLayer: 0,
    ...overrides
  }
}

/** A node by how many of them it has room for. */
export function node(
  peerId: string,
  layersOfRoom: number,
  msPerLayer: number,
  rest: Partial<PlannerNode> = {}
): PlannerNode {
  return { peerId, memoryFreeBytes: layersOfRoom * MIB, msPerLayer, ...rest }
}
