export { AUTO_UPSTREAMS } from './upstream-address.ts'
export type { UpstreamLimits } from './upstream-limits.ts'
export type { UpstreamLog } from './upstream-server.ts'
export { type RelayRequest, type RelayWork, Upstreams, type UpstreamsInit } from './upstreams.ts'
