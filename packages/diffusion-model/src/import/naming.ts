/** How paths of our graphs are written in published files. */
export type Naming = (path: string) => string

type Rule = readonly [pattern: RegExp, published: string]

function by(rules: readonly Rule[]): Naming {
  return path => rules.reduce((name, [pattern, published]) => name.replace(pattern, published), path)
}

/** Of residual blocks and of what changes the resolution, in denoisers and coders alike. */
const blockRules: readonly Rule[] = [
  [/^in$/, 'conv_in'],
  [/^out$/, 'conv_out'],
  [/^out_norm$/, 'conv_norm_out'],
  [/^(down|up)\./, '$1_blocks.'],
  [/^middle\./, 'mid_block.'],
  [/\.block\./, '.resnets.'],
  [/\.attend\./, '.attentions.'],
  [/\.half$/, '.downsamplers.0.conv'],
  [/\.double$/, '.upsamplers.0.conv'],
  [/\.(norm|conv)_(\d)$/, '.$1$2'],
  [/\.time$/, '.time_emb_proj'],
  [/\.shortcut$/, '.conv_shortcut']
]

/** Of attention over pixels without a transformer around it. */
const pixelAttentionRules: readonly Rule[] = [
  [/\.([qkv])$/, '.to_$1'],
  [/\.output$/, '.to_out.0']
]

/** Of a UNet that draws embeddings, as diffusers has it. */
export const embeddingDenoiserNaming = by([
  [/^time\./, 'time_embedding.linear_'],
  [/^embedding$/, 'encoder_hid_proj.image_embeds'],
  [/^embedding_norm$/, 'encoder_hid_proj.norm'],
  [/^shown$/, 'add_embedding.image_proj'],
  [/^shown_norm$/, 'add_embedding.image_norm'],
  ...blockRules,
  [/\.half\./, '.downsamplers.0.'],
  [/\.double\./, '.upsamplers.0.'],
  [/(\.attentions\.\d+)\.norm$/, '$1.group_norm'],
  [/\.added_([kv])$/, '.add_$1_proj'],
  ...pixelAttentionRules
])

/** A UNet's, as diffusers has it. */
export const denoiserNaming = by([
  [/^time\./, 'time_embedding.linear_'],
  [/^added\./, 'add_embedding.linear_'],
  ...blockRules,
  [/\.(in|out)$/, '.proj_$1'],
  [/\.layer\./, '.transformer_blocks.'],
  [/\.self\./, '.attn1.'],
  [/\.cross\./, '.attn2.'],
  [/\.([qkv])$/, '.to_$1'],
  [/\.output$/, '.to_out.0'],
  [/\.up$/, '.ff.net.0.proj'],
  [/\.down$/, '.ff.net.2']
])

const coderRules: readonly Rule[] = [
  // norms that follow the latents
  [/\.group$/, '.norm_layer'],
  [/\.scale$/, '.conv_y'],
  [/\.shift$/, '.conv_b'],
  [/^out_norm\./, 'conv_norm_out.'],
  [/\.norm_(\d)\./, '.norm$1.'],
  [/(\.attend\.\d+)\.norm\./, '$1.spatial_norm.'],
  ...blockRules,
  [/(\.attentions\.\d+)\.norm$/, '$1.group_norm']
]

/** An autoencoder's, as diffusers has it; its attention had other names before 2023. */
export function coderNaming(side: 'encoder' | 'decoder', old: boolean): Naming {
  const attention: readonly Rule[] = old
    ? [
        [/\.q$/, '.query'],
        [/\.k$/, '.key'],
        [/\.v$/, '.value'],
        [/\.output$/, '.proj_attn']
      ]
    : pixelAttentionRules
  const inside = by([...coderRules, ...attention])
  // both stand beside encoder and decoder
  const outside: Readonly<Record<string, string>> = { after: 'quant_conv', before: 'post_quant_conv' }
  return path => outside[path] ?? `${side}.${inside(path)}`
}

const clipLayerRules: readonly Rule[] = [
  [/^layer\./, 'encoder.layers.'],
  [/\.norm_(\d)$/, '.layer_norm$1'],
  [/\.self\.([qkv])$/, '.self_attn.$1_proj'],
  [/\.self\.output$/, '.self_attn.out_proj'],
  [/\.up$/, '.mlp.fc1'],
  [/\.down$/, '.mlp.fc2']
]

/** Of what looks at pictures, as transformers has it. */
export function sightNaming(path: string): string {
  return path === 'embedding' ? 'visual_projection' : `vision_model.${insideSight(path)}`
}

const insideSight = by([
  [/^class_embedding$/, 'embeddings.class_embedding'],
  [/^patches$/, 'embeddings.patch_embedding'],
  [/^places_table$/, 'embeddings.position_embedding'],
  [/^norm_before$/, 'pre_layrnorm'],
  [/^norm_behind$/, 'post_layernorm'],
  ...clipLayerRules
])

/** A prior's, as diffusers has it. */
export const priorNaming = by([
  [/^time\./, 'time_embedding.linear_'],
  [/^from_states$/, 'encoder_hidden_states_proj'],
  [/^from_pooled$/, 'embedding_proj'],
  [/^from_noisy$/, 'proj_in'],
  [/^norm$/, 'norm_out'],
  [/^prediction$/, 'proj_to_clip_embeddings'],
  [/^layer\./, 'transformer_blocks.'],
  [/\.norm_(\d)$/, '.norm$1'],
  [/\.self\.([qkv])$/, '.attn1.to_$1'],
  [/\.self\.output$/, '.attn1.to_out.0'],
  [/\.up$/, '.ff.net.0.proj'],
  [/\.down$/, '.ff.net.2']
])

/** A text encoder's, as transformers has it; `prefix` is empty in files of its fifth version. */
export function textNaming(prefix: string): Naming {
  const inside = by([
    [/^tokens_table$/, 'embeddings.token_embedding'],
    [/^positions_table$/, 'embeddings.position_embedding'],
    [/^norm$/, 'final_layer_norm'],
    ...clipLayerRules
  ])
  return path => (path === 'pooled' ? 'text_projection' : `${prefix}${inside(path)}`)
}

const BIAS = '_bias'

/** Tensors that are no part of a layer, and have no name behind their own. */
const ALONE = /(^|\.)(class_embedding|positional_embedding|prd_embedding|clip_mean|clip_std)$/

/** The published name of a tensor of ours. */
export function publishedName(naming: Naming, name: string): string {
  if (name.endsWith(BIAS)) return `${naming(name.slice(0, -BIAS.length))}.bias`
  const published = naming(name)
  return ALONE.test(published) ? published : `${published}.weight`
}
