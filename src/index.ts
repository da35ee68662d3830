export type { Chained } from './client/chained.ts'
export { type ClusterDecorator, cluster, type GatheredOf, type RemoteOf } from './client/cluster.ts'
export { type Argv, type Command, type CommandOptions, command } from './client/command/command.ts'
export { type Script, type ScriptOptions, script } from './client/command/script.ts'
export type { ScriptValue, ScriptVariables } from './client/command/script-template.ts'
export { checkpoint, lastCheckpoint, onWarning, warned } from './client/in-job/checkpoint.ts'
export { localMap } from './client/in-job/local-map.ts'
export { fs } from './client/in-job/own-files.ts'
export { currentTask, progress } from './client/in-job/task.ts'
export { gather } from './client/job/gather.ts'
export { Job } from './client/job/job.ts'
export { JobArray, type Progress } from './client/job/job-array.ts'
export { JobStream } from './client/job/job-stream.ts'
export { type AttachOptions, attach } from './client/jobs/attach.ts'
export { type CleanOptions, clean } from './client/jobs/clean.ts'
export { type JobFilter, jobs, type RecordedJob } from './client/jobs/jobs.ts'
export type { WatchedJob, WatchJobsOptions } from './client/jobs/jobs-watch.ts'
export { type Recovered, type RecoverOptions, recover } from './client/jobs/recover.ts'
export {
  type JobsSeen,
  watchJobs,
} from './client/jobs/watch-jobs.ts'
export { range } from './client/map/range.ts'
export { type RemoteMethod, remote } from './client/method.ts'
export type { ClusterOptions, GatheredOptions, LogOptions, MapOptions } from './client/options/options.ts'
export type { Attempt } from './client/outcome/attempt.ts'
export { type OpenResultOptions, openResult } from './client/outcome/open-result.ts'
export type { ResultOptions, ResultsOptions } from './client/outcome/result-file.ts'
export { type LocalFile, localFile, type RemoteFile, remoteFile } from './client/payload/file-argument.ts'
export { share } from './client/payload/share.ts'
export { Cluster, type CommandOutput, connect, type RunOptions } from './client/place/connect.ts'
export type {
  ClusterJob,
  ClusterQueue,
  ClusterResources,
  PlaceReport,
  QueueCounts,
  QueueFilter,
  ResourceFilter,
  ResourcesSeen,
} from './client/place/place-resources.ts'
export {
  type WatchReportsOptions,
  watchReports,
} from './client/place/watch-reports.ts'
export { type WatchResourcesOptions, watchResources } from './client/place/watch-resources.ts'
export type { MapFunction, Remote } from './client/remote.ts'
export type { RemoteStream } from './client/remote-stream.ts'
export { closeSessions as close } from './client/session/sessions.ts'
export type { StageInput, StageOptions } from './client/staging/stage-options.ts'
export type { MapPlan } from './client/submit/map-plan.ts'
export { configure, defineConfig, getConfig } from './config/runtime.ts'
export type { Config } from './config/types.ts'
export type { Amount, GpuAmount, NodeCounts, PartitionCapacity } from './core/capacity.ts'
export type { CommandResult } from './core/command.ts'
export type { ContainerMount, ContainerSettings } from './core/container-settings.ts'
export type { ErrorCode } from './core/error-codes.ts'
export {
  CaptureError,
  ConfigError,
  FarcallError,
  FileError,
  JobCanceledError,
  JobFailedError,
  ResultError,
  SubmitError,
  TransportError,
} from './core/errors.ts'
export type { JobEnvironment } from './core/job-environment.ts'
export type { Launcher } from './core/launcher.ts'
export type {
  EmailEndpoint,
  FromEnvironment,
  JobNotification,
  NotifyEndpoint,
  NotifyOn,
  NotifyOptions,
  NotifyState,
  PlaceNotification,
  SlackEndpoint,
  WebhookEndpoint,
} from './core/notification.ts'
export type { Environment, Profile } from './core/profile.ts'
export type { QueuedJob } from './core/queued-job.ts'
export type { Duration, Memory, Resources } from './core/resources.ts'
export type { RetryOptions, RetryReason } from './core/retry-policy.ts'
export type { Shared } from './core/shared.ts'
export type { JobReason, JobState, JobStatus } from './core/status.ts'
export type { Task, TaskProgress } from './core/task.ts'
export type { DiskTraffic, GpuUsage, JobArrayUsage, JobUsage } from './core/usage.ts'
export type { Cleaned } from './executor/executor.ts'
export { Listing } from './files/listing.ts'
export type {
  ClusterFiles,
  DiskUsage,
  FileContent,
  FileInfo,
  FileSystem,
  FindOptions,
  ReadRange,
  RemoveOptions,
  Synced,
  SyncOptions,
  TransferOptions,
  TransferProgress,
  Transferred,
  WriteOptions,
} from './files/types.ts'
export { display } from './notebook/display.ts'
export { show } from './notebook/show.ts'
export type { Provenance } from './store/types.ts'
export type { LocalMapOptions } from './threads/options.ts'
export {
  type LoginPrompt,
  type LoginPromptLine,
  type LoginQuestion,
  setLoginPrompt,
} from './transport/prompt.ts'
