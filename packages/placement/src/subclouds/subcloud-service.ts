import {
  type Clock,
  invalidRequest,
  MeshError,
  type Scheduler,
  type SubcloudDefinition,
  systemScheduler,
  type Timer
} from '@resultity/interface'
import type { SubcloudStore } from '@resultity/store'
import type { Logger } from 'pino'
import type { ServedModels } from '../served-models.ts'
import { requireModels } from './node-pools.ts'
import type { Subcloud, Subclouds } from './subclouds.ts'

export interface SubcloudServiceComponents {
  readonly store: SubcloudStore
  readonly subclouds: Subclouds
  readonly models: ServedModels
  readonly clock: Clock
  readonly logger: Logger
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler
}

/** Nobody would look through more. */
const SUBCLOUDS_MAX = 256

/** Makes and changes subclouds. What other coordinators on the same database make comes to be known here soon. */
export class SubcloudService implements Disposable {
  readonly #components: SubcloudServiceComponents
  readonly #refreshMs: number
  readonly #scheduler: Scheduler
  #timer: Timer | undefined

  constructor(components: SubcloudServiceComponents, refreshMs: number) {
    this.#components = components
    this.#scheduler = components.scheduler ?? systemScheduler
    this.#refreshMs = refreshMs
  }

  /** Reads the stored subclouds, and from now on every change. */
  async start(): Promise<void> {
    const { logger } = this.#components
    await this.refresh()
    this.#timer = this.#scheduler.setInterval(() => {
      this.refresh().catch((err: unknown) => logger.error({ err }, 'subclouds were not read'))
    }, this.#refreshMs)
  }

  [Symbol.dispose](): void {
    this.#scheduler.clear(this.#timer)
  }

  async refresh(): Promise<void> {
    const { store, subclouds } = this.#components
    subclouds.define(await store.list())
  }

  /** @throws MeshError `invalid_request` for one of the configuration, or a model that is not served */
  async put(name: string, definition: SubcloudDefinition): Promise<Subcloud> {
    const { store, subclouds, models, clock } = this.#components
    this.#requireOwn(name)
    requireModels(models, definition.models)
    if (subclouds.get(name) === undefined && subclouds.list().length >= SUBCLOUDS_MAX) {
      throw new MeshError('resource_exhausted', `there are ${SUBCLOUDS_MAX} subclouds, and no more may be`, {
        hint: 'Remove some.'
      })
    }
    await store.put({ name, definition, changedAtMs: clock.now() })
    await this.refresh()
    return subclouds.find(name)
  }

  /** @throws MeshError `not_found`, `invalid_request` for one of the configuration */
  async remove(name: string): Promise<void> {
    const { store, subclouds } = this.#components
    this.#requireOwn(name)
    if (!(await store.remove(name))) subclouds.find(name)
    await this.refresh()
  }

  #requireOwn(name: string): void {
    if (this.#components.subclouds.get(name)?.source !== 'configuration') return
    throw invalidRequest('name', `"${name}" is defined in the configuration`, 'Change it there, and start again.')
  }
}
