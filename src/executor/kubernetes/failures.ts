/** What the server says no with, and what keeps us from reaching it, in our words and in its own. */
import { FarcallError, SubmitError, TransportError } from '../../core/errors.ts'

/** https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/ */
export interface ApiStatus {
  readonly kind: 'Status'
  readonly code: number
  readonly reason?: string
  readonly message?: string
}

/** `what` was asked for, like 'submitting job f…'. */
export function refusalOf({ code, message = `HTTP ${code}`, reason }: ApiStatus, what: string): FarcallError {
  if (code === 401)
    return new TransportError(
      'LOGIN_REFUSED',
      `${what}: the Kubernetes server does not know us: ${message}`,
      {
        hint: 'what the kubeconfig has for logging in has run out, or is of another cluster: try `kubectl get pods`',
      },
    )
  if (/exceeded quota|must specify (limits|requests)|forbidden: (maximum|minimum)/.test(message))
    return new SubmitError('SUBMIT_REFUSED', `${what}: the namespace allows no more: ${message}`, {
      hint: 'ask for less, or wait until others have ended; a quota on a resource wants it to be asked for (cores, memory)',
    })
  if (code === 403) {
    const [, who, verb, resource] = /User "([^"]+)" cannot (\w+) resource "([^"]+)"/.exec(message) ?? []
    const words = verb === undefined ? message : `${who} may not ${verb} ${resource}: ${message}`
    return new FarcallError('REQUEST_FORBIDDEN', `${what}: ${words}`, {
      hint:
        verb === undefined
          ? 'ask who runs the cluster'
          : `ask who runs the cluster for a Role that allows ${verb} on ${resource} in this namespace; docs/clusters/kubernetes.md has the whole one`,
    })
  }
  if (code === 429 || code >= 500)
    return new TransportError(
      'CONNECTION_LOST',
      `${what}: the Kubernetes server cannot answer just now: ${message}`,
      {
        transient: true,
      },
    )
  return new SubmitError('SUBMIT_REFUSED', `${what}: ${message}${reason ? ` (${reason})` : ''}`)
}

const certificateCodes = /CERT|SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)|ALTNAME/

export function unreachable(server: string, cause: unknown): FarcallError {
  if (cause instanceof FarcallError) return cause
  const { code = '', message } = cause as NodeJS.ErrnoException
  if (certificateCodes.test(code))
    return new TransportError(
      'HOST_UNREACHABLE',
      `the certificate of ${server} cannot be trusted: ${message} (${code})`,
      {
        cause,
        hint: "the kubeconfig's certificate-authority is the one of another cluster, perhaps",
      },
    )
  const never = [
    'ENOTFOUND',
    'ECONNREFUSED',
    'EHOSTUNREACH',
    'ENETUNREACH',
    'EAI_AGAIN',
    'ETIMEDOUT',
  ].includes(code)
  return new TransportError(
    never ? 'HOST_UNREACHABLE' : 'CONNECTION_LOST',
    `${server} ${never ? 'cannot be reached' : 'did not answer to the end'}: ${message}`,
    { cause, transient: true },
  )
}
