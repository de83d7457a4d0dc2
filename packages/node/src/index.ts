export { startNode } from './node-agent.ts'
export { DEFAULT_NODE_LIMITS, type NodeInit, type NodeLimits, type RunningNode } from './node-init.ts'
