import { mkdir } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { availableExecutionProviders, createEngine, probeMachine } from '@resultity/engine'
import { type BlobStore, MeshError, type Scheduler, systemScheduler, type Timer } from '@resultity/interface'
import { createMeshHost, loadIdentity, type MeshHost, type PeerAddress, serveBlobs } from '@resultity/mesh'
import type { Upstreams } from '@resultity/upstream'
import type { Logger } from 'pino'
import { Advertiser } from './advertiser.ts'
import type { DrainOptions, DrainOutcome, DrainProgress } from './draining.ts'
import { defaultMemoryOffer, probeHardware } from './hardware.ts'
import { HopTrials } from './hop-trials.ts'
import { JobServer } from './job-server.ts'
import { AcceptedInvites, type HeldInvite, joinTargets, refusesInvite } from './join-targets.ts'
import { KnownPeers } from './known-peers.ts'
import { Membership } from './membership.ts'
import { DEFAULT_NODE_LIMITS, type NodeInit, type NodeLimits, type RunningNode } from './node-init.ts'
import { type NodeStore, openNodeStore } from './node-store.ts'
import { openUpstreams } from './node-upstreams.ts'
import { retryMs } from './retry-wait.ts'
import { ServedPlacements } from './served-placements.ts'
import { StageServer } from './stage-server.ts'
import { StageTable } from './stage-table.ts'
import { AGENT_VERSION } from './version.ts'
import { peerWeights } from './weights.ts'

/** How often a node that is about to leave looks whether it still serves something. */
const DRAIN_LOOK_MS = 50

/** Between the end of a membership and the next attempt at one. */
const REJOIN_MS = 250

export interface NodeAgentComponents {
  readonly host: MeshHost
  readonly store: BlobStore & AsyncDisposable
  /** Default: this node makes no weight files. */
  readonly maker?: NodeStore['maker'] | undefined
  readonly stages: StageTable
  readonly advertiser: Advertiser
  readonly upstreams?: Upstreams | undefined
  readonly logger: Logger
  /** Called with the id of an invite by which this node was taken in. */
  readonly onInviteAccepted?: (id: string) => Promise<void>
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler
}

/**
 * Starts a node agent: probes the machine, opens the mesh, joins coordinators and serves what they assign.
 *
 * @throws MeshError `address_in_use`, `settings_invalid`, `engine_failed`
 */
export async function startNode(init: NodeInit): Promise<RunningNode> {
  const { logger, dataDir, scheduler = systemScheduler, tuning = false } = init
  const limits = { ...DEFAULT_NODE_LIMITS, ...init.limits }
  const threads = init.threads ?? availableParallelism()
  const workDir = join(dataDir, 'work')
  await mkdir(workDir, { recursive: true })
  const accepted = await AcceptedInvites.load(dataDir)
  const targets = await joinTargets(init.join, accepted, scheduler)

  const privateKey = await loadIdentity(dataDir)
  const engineOptions = { tuning, otherKernels: init.otherKernels ?? false }
  const engine = await createEngine(init.engine, engineOptions)
  const [hardware, memoryBytes, probe, { store, maker }, upstreams] = await Promise.all([
    probeHardware(availableExecutionProviders()),
    init.memoryBytes ?? defaultMemoryOffer(),
    probeMachine(threads, engineOptions),
    openNodeStore(init),
    openUpstreams(init)
  ])
  const stages = new StageTable(
    { engine, scheduler },
    { memoryBytes, threads, spinning: init.spinning ?? false, workDir, stagesMax: limits.stagesMax }
  )
  const host = await createMeshHost({
    privateKey,
    listen: [...init.listen],
    mdns: init.mdns,
    agent: `resultity-node/${AGENT_VERSION}`,
    tuning,
    scheduler,
    logger,
    ...(init.announce === undefined ? {} : { announce: [...init.announce] })
  })
  const advertiser = new Advertiser(
    {
      privateKey,
      stages,
      clock: scheduler,
      multiaddrs: () => host.multiaddrs(),
      offered: upstreams === undefined ? undefined : () => upstreams.offered()
    },
    {
      peerId: host.peerId,
      agentVersion: AGENT_VERSION,
      hardware,
      memoryOfferedBytes: memoryBytes,
      probeMsPer100M: probe.msPer100M,
      kernels: probe.kernels,
      threads,
      labels: init.labels,
      ttlMs: limits.advertTtlMs
    }
  )
  const onInviteAccepted = (id: string): Promise<void> => accepted.add(id)
  const agent = new NodeAgent(
    { host, store, maker, stages, advertiser, upstreams, logger, scheduler, onInviteAccepted },
    limits
  )
  await agent.listen()
  agent.joinCoordinators(targets.addresses, targets.invites)
  return {
    peerId: host.peerId,
    multiaddrs: () => host.multiaddrs(),
    refused: agent.refused,
    drain: options => agent.drain(options),
    close: () => agent.close()
  }
}

/** The running agent: memberships with coordinators, and the stages they assigned. */
export class NodeAgent {
  readonly #components: NodeAgentComponents
  readonly #limits: NodeLimits
  readonly #scheduler: Scheduler
  readonly #server: StageServer
  readonly #jobs: JobServer
  readonly #placements: ServedPlacements
  readonly #known = new KnownPeers()
  readonly #closing = new AbortController()
  /** Living memberships by the coordinator's peer id. */
  readonly #memberships = new Map<string, Membership>()
  readonly #following = new Map<string, Promise<void>>()
  /** By coordinator: when the stages it left behind are released. */
  readonly #orphanTimers = new Map<string, Timer>()
  readonly #refused = Promise.withResolvers<MeshError>()
  #invites: ReadonlyMap<string, HeldInvite> = new Map()
  #discovery: Promise<void> = Promise.resolve()

  constructor(components: NodeAgentComponents, limits: NodeLimits) {
    const { host, stages, store, maker, upstreams, logger, scheduler = systemScheduler } = components
    this.#scheduler = scheduler
    this.#components = components
    this.#limits = limits
    this.#placements = new ServedPlacements({
      stages,
      logger,
      clock: scheduler,
      trials: new HopTrials({ host, scheduler }, limits),
      weights: (assign, coordinator, onBytes) => {
        const { sources, manifestBytes, contents } = assign
        const init = { sources, coordinator, manifestBytes, contents, onProgress: onBytes }
        return peerWeights({ host, store, maker, scheduler }, init)
      },
      onReleasing: (placementId, reason) => {
        this.#server.endPlacement(placementId, reason)
        this.#jobs.endPlacement(placementId, reason)
      }
    })
    this.#server = new StageServer(
      {
        host,
        stages,
        logger,
        scheduler,
        mayOpen: (peerId, placementId) => this.#placements.owns(peerId, placementId),
        mayAsk: peerId => this.#placements.ownsAny(peerId),
        admitHop: (peerId, placementId) => this.#placements.admitHop(peerId, placementId),
        isKnown: peerId => this.#known.has(peerId)
      },
      { ...limits, streamsPerPeerMax: limits.stageStreamsPerPeerMax }
    )
    this.#jobs = new JobServer(
      {
        host,
        stages,
        logger,
        scheduler,
        relay: upstreams,
        mayAsk: peerId =>
          this.#placements.ownsAny(peerId) || (upstreams !== undefined && this.#memberships.has(peerId)),
        mayUse: (peerId, placementId) => this.#placements.owns(peerId, placementId)
      },
      { streamsPerPeerMax: limits.jobStreamsPerPeerMax, requestTimeoutMs: limits.jobRequestTimeoutMs }
    )
  }

  async listen(): Promise<void> {
    await this.#server.listen()
    await this.#jobs.listen()
    this.#components.upstreams?.onChange(() => this.#advertise())
    const isKnown = (peerId: string): boolean => this.#known.has(peerId)
    this.#components.host.setMembers(isKnown)
    await serveBlobs(this.#components.host, this.#components.store, { allow: isKnown }, this.#scheduler)
  }

  /** Resolves with the reason when a coordinator does not take the invite that it was shown, and no other is followed. */
  get refused(): Promise<MeshError> {
    return this.#refused.promise
  }

  /**
   * Follows every coordinator that is named or found, for as long as the agent runs.
   *
   * @param invites by the peer id of the coordinator that made each
   */
  joinCoordinators(join: readonly string[], invites: ReadonlyMap<string, HeldInvite> = new Map()): void {
    this.#invites = invites
    this.#discovery = this.#discover(join).catch((error: unknown) => {
      if (!this.#closing.signal.aborted)
        this.#components.logger.error({ err: error }, 'coordinators can no longer be found')
    })
  }

  /**
   * Takes nothing new, tells its coordinators so, and waits until they have released all that it serves: they give its layers
   * to other nodes and let the answers go on there. Call {@link close} after it.
   *
   * @returns what is left; at the deadline at the latest
   */
  async drain({ deadlineMs, onProgress }: DrainOptions): Promise<DrainOutcome> {
    const { advertiser } = this.#components
    const endsAt = this.#scheduler.monotonic() + deadlineMs
    for (const part of [advertiser, this.#placements, this.#server, this.#jobs]) part.startDraining()
    this.#advertise()
    let told = ''
    for (;;) {
      const left = this.#left()
      if (left.placements === 0 && this.#jobs.relayedOpen === 0) return { ...left, drained: true }
      const progress = JSON.stringify(left)
      if (progress !== told) onProgress?.(left)
      told = progress
      const leftMs = endsAt - this.#scheduler.monotonic()
      if (leftMs <= 0) return { ...left, drained: false }
      await this.#scheduler.sleep(Math.min(DRAIN_LOOK_MS, leftMs))
    }
  }

  /** Tells coordinators what has changed, before the next heartbeat is due. */
  #advertise(): void {
    for (const membership of this.#memberships.values()) {
      // not awaited: a coordinator that does not read must hold up nobody; if the stream fails, the membership ends
      membership.tell().catch(() => undefined)
    }
  }

  /** Memory that is held for what sessions have sent. */
  get sentLogBytes(): number {
    return this.#server.sentLogBytes
  }

  /** Counts no placements of a coordinator that is gone: it hands nothing over, and its sessions ended with it. */
  #left(): DrainProgress {
    return {
      placements: this.#placements.countOf(coordinator => this.#memberships.get(coordinator)?.token),
      running: this.#server.sessionsOpen + this.#jobs.jobsOpen
    }
  }

  async close(): Promise<void> {
    this.#closing.abort(new MeshError('canceled', 'the node is shutting down'))
    for (const timer of this.#orphanTimers.values()) this.#scheduler.clear(timer)
    const leaving = [...this.#memberships.values()].map(membership => membership.leave('the node is shutting down'))
    await Promise.allSettled([...leaving, ...this.#following.values(), this.#discovery])
    this.#placements.close()
    await this.#server.close()
    await this.#jobs.close()
    await this.#components.upstreams?.close()
    await this.#components.stages.close()
    await this.#components.host.close()
    await this.#components.store[Symbol.asyncDispose]()
  }

  async #discover(join: readonly string[]): Promise<void> {
    const { host, logger } = this.#components
    const { signal } = this.#closing
    for await (const coordinator of host.discoverCoordinator({ join: [...join], signal })) {
      if (this.#following.has(coordinator.peerId)) continue
      logger.info({ coordinator: coordinator.peerId, addresses: coordinator.multiaddrs }, 'coordinator found')
      this.#following.set(coordinator.peerId, this.#follow(coordinator))
    }
  }

  /** Joins the coordinator again and again until the agent closes. */
  async #follow(coordinator: PeerAddress): Promise<void> {
    const { signal } = this.#closing
    const { logger } = this.#components
    const { peerId } = coordinator
    this.#known.follow(peerId)
    while (!signal.aborted) {
      try {
        const membership = await this.#joined(coordinator)
        this.#memberships.set(peerId, membership)
        logger.info({ coordinator: peerId }, 'joined the coordinator')
        await this.#remember(peerId)
        const cause = await membership.ended
        this.#memberships.delete(peerId)
        if (signal.aborted) return
        logger.warn({ err: cause, coordinator: peerId }, 'the coordinator is gone; joining again')
        this.#releaseOrphansLater(peerId)
        // a coordinator that welcomes and drops us again and again must not keep us busy
        await this.#scheduler.sleep(REJOIN_MS, { signal })
      } catch (error) {
        if (signal.aborted) return
        const { message, code } = MeshError.from(error)
        logger.error({ err: error, code, coordinator: peerId }, `the invite was refused: ${message}`)
        this.#following.delete(peerId)
        if (this.#following.size === 0) this.#refused.resolve(MeshError.from(error))
        return
      }
    }
  }

  /** Remembers by which invite this node was taken in. A full disk must not end the membership. */
  async #remember(coordinator: string): Promise<void> {
    const invite = this.#invites.get(coordinator)
    if (invite === undefined) return
    await this.#components.onInviteAccepted?.(invite.id).catch((error: unknown) => {
      this.#components.logger.warn({ err: error }, 'it was not written down that the invite was accepted')
    })
  }

  /**
   * Tries until the coordinator takes this node in, and says once why it does not.
   * @throws MeshError `invite_…` for an invite that is no good; once the agent closes
   */
  async #joined(coordinator: PeerAddress): Promise<Membership> {
    const { signal } = this.#closing
    const { logger } = this.#components
    let told = ''
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#join(coordinator)
      } catch (error) {
        signal.throwIfAborted()
        const failure = MeshError.from(error)
        if (refusesInvite(failure)) throw failure
        const { message, hint = '' } = failure
        const level = message === told ? 'debug' : 'warn'
        told = message
        logger[level](
          { err: error, coordinator: coordinator.peerId, attempt },
          `the coordinator could not be joined, trying again: ${message}. ${hint}`
        )
      }
      await this.#scheduler.sleep(retryMs(attempt, this.#scheduler.random()), { signal })
    }
  }

  #join(coordinator: PeerAddress): Promise<Membership> {
    const { host, advertiser, logger } = this.#components
    // identifies this membership before it exists: assignments may come with the welcome
    const token = {}
    const invite = this.#invites.get(coordinator.peerId)
    return Membership.join(
      {
        host,
        advertiser,
        logger,
        scheduler: this.#scheduler,
        onAssign: (assign, report) => void this.#placements.assign(assign, coordinator.peerId, token, report),
        onRelease: ({ placementId, reason }) => {
          this.#placements.release(placementId, coordinator.peerId, reason).catch((error: unknown) => {
            logger.error({ err: error, placement: placementId }, 'a stage could not be released')
          })
        },
        onMembers: peerIds => this.#known.setMembers(coordinator.peerId, peerIds),
        token
      },
      {
        coordinator,
        ...(invite === undefined ? {} : { invite: invite.token }),
        helloTimeoutMs: this.#limits.helloTimeoutMs,
        advertTtlMs: this.#limits.advertTtlMs
      },
      this.#closing.signal
    )
  }

  #releaseOrphansLater(coordinator: string): void {
    this.#scheduler.clear(this.#orphanTimers.get(coordinator))
    const timer = this.#scheduler.setTimeout(() => {
      const current = this.#memberships.get(coordinator)?.token
      this.#placements.releaseOrphans(coordinator, current).catch((error: unknown) => {
        this.#components.logger.error({ err: error, coordinator }, 'orphaned stages could not be released')
      })
    }, this.#limits.orphanedStageMs)
    timer.unref()
    this.#orphanTimers.set(coordinator, timer)
  }
}
