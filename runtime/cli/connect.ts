import type { Command } from 'commander'
import { FleetstepError } from '../base/errors.ts'
import { connectControl, type ControlClient, listControlSockets } from '../gateway/control-client.ts'
import { controlPath, deviceOfControlPath } from '../gateway/control-path.ts'
import { type Form, isOfForm } from './answer-form.ts'
import { globalOptions, note } from './output.ts'

/** The answer of the gateway that the user means. @throws FleetstepError as {@link askOf} */
export async function ask<T>(
  command: Command,
  method: string,
  params: Readonly<Record<string, unknown>>,
  form: Form<T>,
): Promise<T> {
  return await withGateway(command, async (gateway) => await askOf(gateway, method, params, form))
}

/** @throws FleetstepError as the daemon answers, `daemon-unreachable`, or `message-invalid` for an answer of another form */
export async function askOf<T>(
  gateway: ControlClient,
  method: string,
  params: Readonly<Record<string, unknown>>,
  form: Form<T>,
): Promise<T> {
  const answer = await gateway.call(method, params)
  if (isOfForm(form, answer)) return answer
  throw new FleetstepError(
    'message-invalid',
    `the gateway on ${gateway.path} answers ${method} in another form than this version knows: run the gateway and fleetstep from the same version`,
  )
}

/** Runs `use` on a connection to the gateway that the user means, and ends it. @throws FleetstepError `daemon-unreachable` */
export async function withGateway<T>(command: Command, use: (gateway: ControlClient) => Promise<T>): Promise<T> {
  const client = await connect(command)
  try {
    return await use(client)
  } finally {
    client.close()
  }
}

/** The gateway that is named on the command line or in the environment, else the first of those that answer. */
async function connect(command: Command): Promise<ControlClient> {
  const { socket, gateway } = globalOptions(command)
  if (socket !== undefined) return await connectControl(socket)
  if (gateway !== undefined) return await connectControl(controlPath(gateway))
  const fromEnvironment = process.env['FLEETSTEP_SOCKET'] ?? ''
  return fromEnvironment === '' ? await connectFirst() : await connectControl(fromEnvironment)
}

async function connectFirst(): Promise<ControlClient> {
  const attempts = await Promise.allSettled(listControlSockets().map(connectControl))
  const clients = attempts.flatMap((attempt) => (attempt.status === 'fulfilled' ? [attempt.value] : []))
  const [first, ...others] = clients
  if (first === undefined) {
    throw new FleetstepError(
      'daemon-unreachable',
      'no gateway of this user runs on this machine: start one with fleetstep run --config FILE, or name its socket with --socket PATH',
    )
  }
  for (const other of others) other.close()
  if (others.length > 0) {
    const names = clients.map(({ path }) => deviceOfControlPath(path))
    note(`several gateways run here: ${names.join(', ')}; this is ${names[0]}; choose with --gateway NAME`)
  }
  return first
}
