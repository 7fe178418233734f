import type { SerialDevices } from './devices.ts'

/** Why a port does not open or work, in one line: what, where, what to do. The add-on gives the words of the operating system. */
export function explainPortFailure(error: Error, device: string, baud: number, devices: SerialDevices): string {
  const message = error.message.replace(/^Error:? */, '').replace(/\s+/g, ' ')
  if (/lock|busy|temporarily unavailable/i.test(message)) {
    const holder = devices.holder(device)
    if (holder?.pid === process.pid)
      return `${device} is in use by another link or instrument of this gateway: give one of them another port`
    const by = holder === null ? 'another program' : `${holder.command}, process ${holder.pid}`
    return `${device} is in use by ${by}: end it, or give this link another port`
  }
  if (/permission denied|EACCES/i.test(message))
    return `this user may not open ${device}: sudo usermod -aG ${devices.group(device)} "$USER", then log in again`
  if (/no such file|ENOENT/i.test(message))
    return `${device} is not there: plug it in; fleetstep serial list shows what is`
  if (/inappropriate ioctl|ENOTTY/i.test(message))
    return `${device} is no serial port, or one that cannot do ${baud} baud: fleetstep serial list shows what is there`
  if (/baud/i.test(message)) return `${device} cannot do ${baud} baud (${message}): choose another one on both sides`
  return `${device} does not work (${message}): check it with fleetstep serial check`
}
