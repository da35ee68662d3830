import { expect, test } from 'vitest'
import * as farcall from '../src/index.ts'
import * as testing from '../src/testing/index.ts'
import * as suites from '../src/testing/suites.ts'
import * as vite from '../src/vite/index.ts'

// A name that goes is a breaking change; one that comes has to be documented and kept.

test('farcall exports these values', () => {
  expect(Object.keys(farcall).sort()).toMatchInlineSnapshot(`
    [
      "CaptureError",
      "Cluster",
      "ConfigError",
      "FarcallError",
      "FileError",
      "Job",
      "JobArray",
      "JobCanceledError",
      "JobFailedError",
      "JobStream",
      "Listing",
      "ResultError",
      "SubmitError",
      "TransportError",
      "attach",
      "checkpoint",
      "clean",
      "close",
      "cluster",
      "command",
      "configure",
      "connect",
      "currentTask",
      "defineConfig",
      "display",
      "fs",
      "gather",
      "getConfig",
      "jobs",
      "lastCheckpoint",
      "localFile",
      "localMap",
      "onWarning",
      "openResult",
      "progress",
      "range",
      "recover",
      "remote",
      "remoteFile",
      "script",
      "setLoginPrompt",
      "share",
      "show",
      "warned",
      "watchJobs",
      "watchReports",
      "watchResources",
    ]
  `)
})

test('farcall/testing exports these values', () => {
  expect(Object.keys(testing).sort()).toMatchInlineSnapshot(`
    [
      "MemoryExecutor",
      "injectFaults",
      "lateFiles",
      "simulateScheduler",
    ]
  `)
})

test('farcall/testing/suites exports these values', () => {
  expect(Object.keys(suites).sort()).toMatchInlineSnapshot(`
    [
      "executorSuite",
      "transportSuite",
    ]
  `)
})

test('farcall/vite exports these values', () => {
  expect(Object.keys(vite).sort()).toMatchInlineSnapshot(`
    [
      "farcall",
    ]
  `)
})
