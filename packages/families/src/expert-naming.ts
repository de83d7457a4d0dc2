import { ggufNaming, hubNaming, type TensorNaming } from './tensor-naming.ts'

/** A tensor of its own for each matrix of each expert; Mixtral's publishers call the matrices `w1`, `w2` and `w3`. */
export const mixtralNaming: TensorNaming = {
  ...hubNaming,
  layer: {
    ...hubNaming.layer,
    router: 'block_sparse_moe.gate.weight',
    expert_gate: 'block_sparse_moe.experts.{}.w1.weight',
    expert_up: 'block_sparse_moe.experts.{}.w3.weight',
    expert_down: 'block_sparse_moe.experts.{}.w2.weight'
  }
}

/** The expert of Qwen's that all positions share. */
const shared = {
  shared_router: 'mlp.shared_expert_gate.weight',
  shared_gate: 'mlp.shared_expert.gate_proj.weight',
  shared_up: 'mlp.shared_expert.up_proj.weight',
  shared_down: 'mlp.shared_expert.down_proj.weight'
}

/** As Qwen's publishers name them. */
export const qwenExpertNaming: TensorNaming = {
  ...hubNaming,
  layer: {
    ...hubNaming.layer,
    ...shared,
    router: 'mlp.gate.weight',
    expert_gate: 'mlp.experts.{}.gate_proj.weight',
    expert_up: 'mlp.experts.{}.up_proj.weight',
    expert_down: 'mlp.experts.{}.down_proj.weight'
  }
}

/** As transformers 5 has them in memory: `[experts, 2 · size, hidden]` and `[experts, hidden, size]`. */
export const stackedExpertNaming: TensorNaming = {
  ...hubNaming,
  layer: {
    ...hubNaming.layer,
    ...shared,
    router: 'mlp.gate.weight',
    expert_gate: 'mlp.experts.gate_up_proj',
    expert_up: 'mlp.experts.gate_up_proj',
    expert_down: 'mlp.experts.down_proj'
  }
}

/** As llama.cpp's converter wrote a Mixtral before it put the experts of a layer into one tensor. */
export const separateGgufExpertNaming: TensorNaming = {
  ...ggufNaming,
  layer: {
    ...ggufNaming.layer,
    expert_gate: 'ffn_gate.{}.weight',
    expert_up: 'ffn_up.{}.weight',
    expert_down: 'ffn_down.{}.weight'
  }
}
