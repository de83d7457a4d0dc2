const MODEL_LANE = /^(?:subcloud:([a-z0-9-]+):)?model:(.+)$/s

/** Lane of the jobs that run on a model, in the subcloud that they name: it has places of its own. */
export function modelLane(modelId: string, subcloud?: string): string {
  return `${subcloud === undefined ? '' : `subcloud:${subcloud}:`}model:${modelId}`
}

/** The inputs of {@link modelLane}; undefined for other lanes. */
export function ofModelLane(
  lane: string
): { readonly model: string; readonly subcloud: string | undefined } | undefined {
  const [, subcloud, model] = MODEL_LANE.exec(lane) ?? []
  return model === undefined ? undefined : { model, subcloud }
}

/** Lane of jobs that only wait for jobs on models. */
export const GROUP_LANE = 'group'

/** Lane of jobs that may wait for jobs of {@link GROUP_LANE}: on one lane, they could take all places from these. */
export const OUTER_GROUP_LANE = 'group:outer'

/** Lanes of jobs that only wait for others. */
export const GROUP_LANES: readonly string[] = [GROUP_LANE, OUTER_GROUP_LANE]
