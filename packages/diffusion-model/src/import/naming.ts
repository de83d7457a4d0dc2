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

const coderRules: readonly Rule[] = [...blockRules, [/(\.attentions\.0)\.norm$/, '$1.group_norm']]

/** An autoencoder's, as diffusers has it; its attention had other names before 2023. */
export function coderNaming(side: 'encoder' | 'decoder', old: boolean): Naming {
  const attention: readonly Rule[] = old
    ? [
        [/\.q$/, '.query'],
        [/\.k$/, '.key'],
        [/\.v$/, '.value'],
        [/\.output$/, '.proj_attn']
      ]
    : [
        [/\.([qkv])$/, '.to_$1'],
        [/\.output$/, '.to_out.0']
      ]
  const inside = by([...coderRules, ...attention])
  // both stand beside encoder and decoder
  const outside: Readonly<Record<string, string>> = { after: 'quant_conv', before: 'post_quant_conv' }
  return path => outside[path] ?? `${side}.${inside(path)}`
}

/** A text encoder's, as transformers has it; `prefix` is empty in files of its fifth version. */
export function textNaming(prefix: string): Naming {
  const inside = by([
    [/^tokens_table$/, 'embeddings.token_embedding'],
    [/^positions_table$/, 'embeddings.position_embedding'],
    [/^norm$/, 'final_layer_norm'],
    [/^layer\./, 'encoder.layers.'],
    [/\.norm_(\d)$/, '.layer_norm$1'],
    [/\.self\.([qkv])$/, '.self_attn.$1_proj'],
    [/\.self\.output$/, '.self_attn.out_proj'],
    [/\.up$/, '.mlp.fc1'],
    [/\.down$/, '.mlp.fc2']
  ])
  return path => (path === 'pooled' ? 'text_projection' : `${prefix}${inside(path)}`)
}

const BIAS = '_bias'

/** The published name of a tensor of ours. */
export function publishedName(naming: Naming, name: string): string {
  return name.endsWith(BIAS) ? `${naming(name.slice(0, -BIAS.length))}.bias` : `${naming(name)}.weight`
}
