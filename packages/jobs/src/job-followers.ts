import type { MeshError } from '@resultity/interface'
import type { Job, JobEvent } from '@resultity/store'
import { type FollowerComponents, JobFollower } from './job-follower.ts'

/** A follower that gets entries until it is disposed. */
export type Following = JobFollower & Disposable

/** Those who follow jobs in this process, wherever the jobs run. */
export class JobFollowers {
  readonly #components: FollowerComponents
  readonly #byJob = new Map<string, Set<JobFollower>>()

  constructor(components: FollowerComponents) {
    this.#components = components
  }

  /** Ids of the jobs that are followed. */
  get jobIds(): Iterable<string> {
    return this.#byJob.keys()
  }

  isFollowed(jobId: string): boolean {
    return this.#byJob.has(jobId)
  }

  follow(jobId: string): Following {
    const follower = new JobFollower(jobId, this.#components)
    const followers = this.#byJob.get(jobId) ?? new Set()
    this.#byJob.set(jobId, followers.add(follower))
    return Object.assign(follower, {
      [Symbol.dispose]: () => {
        followers.delete(follower)
        if (followers.size === 0) this.#byJob.delete(jobId)
      }
    })
  }

  /** Shows entries that were appended here. */
  publish(jobId: string, events: readonly JobEvent[]): void {
    for (const follower of this.#of(jobId)) follower.push(events)
  }

  /** The job's end cannot be stored. */
  fail(jobId: string, error: MeshError): void {
    for (const follower of this.#of(jobId)) follower.fail(error)
  }

  end(job: Job): void {
    for (const follower of this.#of(job.id)) follower.end(job)
  }

  /** The job may have changed elsewhere. */
  inspect(jobId: string): void {
    for (const follower of this.#of(jobId)) {
      // the follower gets the error when it reads next
      follower.check().catch(() => {})
    }
  }

  #of(jobId: string): Iterable<JobFollower> {
    return this.#byJob.get(jobId) ?? []
  }
}
