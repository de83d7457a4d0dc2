export { Invites } from './membership/invites.ts'
export type { JoinPolicy } from './membership/join-policy.ts'
export { GREETERS_MAX, Membership } from './membership/membership.ts'
export { type NodeRecord, NodeRegistry } from './membership/node-registry.ts'
export { NodeLosses } from './node-losses.ts'
export { AssignmentSender, toStageReport } from './placement/assignment-sender.ts'
export { type ContentJudge, ContentLedger, type ContentLedgerComponents } from './placement/content-ledger.ts'
export { computeAlike, type PlacementKernels } from './placement/kernels.ts'
export type { NodePool, RouteConstraints } from './placement/node-pool.ts'
export type { PlaceableModel } from './placement/placeable-model.ts'
export { Placement } from './placement/placement.ts'
export { PlacementDirector } from './placement/placement-director.ts'
export { PlacementLoop } from './placement/placement-loop.ts'
export { Replicas } from './placement/replicas.ts'
export { DEFAULT_PLACEMENT_LIMITS, type PlacementLimits } from './placement-limits.ts'
export {
  type FailedModel,
  type ServedCaptioner,
  type ServedClassifier,
  type ServedDecoder,
  type ServedDiffusion,
  type ServedEncoder,
  type ServedModel,
  ServedModels,
  type ServedSoundVoice,
  type ServedSpeech,
  type ServedTokenVoice,
  type ServedVoice
} from './served-models.ts'
export { NodePools, requireSubcloudModels, type Steering } from './subclouds/node-pools.ts'
export { servedIn } from './subclouds/served-in.ts'
export { SubcloudService } from './subclouds/subcloud-service.ts'
export { hasNode, type Subcloud, Subclouds } from './subclouds/subclouds.ts'
