import { spawn } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fail, inProject, projectRoot, runCommand } from '../project.mjs'

/** Time after which the guest is taken for hung: it needs a quarter of it, and half on a loaded machine. */
const guestMs = 420_000

/** What the program in the guest prints when everything has passed. */
const passedLine = 'hardware: all passed'

/**
 * Boots a kernel in an emulated machine, with the files of this machine to read and a disk in memory to write, and runs
 * the program there.
 * @param {import('./kernel.mjs').Kernel} kernel
 * @param {string} program a module that node can run
 * @returns {Promise<boolean>} whether it passed
 */
export async function bootGuest(kernel, program) {
  const initramfs = await makeInitramfs(kernel, program)
  // Without KVM: it hangs on stock kernels in some virtual machines, and takes no rights of anybody here.
  const args = words(`-machine q35,accel=tcg -cpu max -smp 1 -m 768 -nographic -no-reboot -nic none
    -virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap`)
  args.push('-kernel', kernel.image, '-initrd', initramfs)
  args.push('-append', 'console=ttyS0 quiet panic=-1 mitigations=off nokaslr tsc=reliable')
  const child = spawn('qemu-system-x86_64', args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
    output += text
    process.stdout.write(text.replaceAll('\r', ''))
  })
  const alarm = setTimeout(() => child.kill('SIGKILL'), guestMs)
  const problem = await new Promise((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.on('close', () => resolve(null))
  })
  clearTimeout(alarm)
  if (problem !== null) fail(`qemu-system-x86_64 does not start: ${problem}.`)
  return output.includes(passedLine)
}

function words(/** @type {string} */ text) {
  return text.trim().split(/\s+/)
}

async function makeInitramfs(/** @type {import('./kernel.mjs').Kernel} */ kernel, /** @type {string} */ program) {
  const folder = inProject('.cache', 'hardware', `initramfs-${kernel.version}`)
  rmSync(folder, { recursive: true, force: true })
  for (const name of ['bin', 'proc', 'sys', 'dev', 'host', 'modules'])
    mkdirSync(join(folder, name), { recursive: true })
  copyFileSync('/bin/busybox', join(folder, 'bin', 'busybox'))
  for (const path of kernel.modules) copyFileSync(path, join(folder, 'modules', basename(path)))
  writeFileSync(join(folder, 'init'), initScript(kernel, program))
  chmodSync(join(folder, 'init'), 0o755)
  const archive = `${folder}.cpio.gz`
  const { ok, output } = await runCommand('sh', ['-c', `find . | cpio -o -H newc --quiet | gzip -1 > '${archive}'`], {
    cwd: folder,
  })
  if (!ok) fail(`The files for the start of the guest could not be packed:\n${output}`)
  return archive
}

/** Two chips with the labels of a Raspberry Pi, the expander first, as on a Pi 3. */
function initScript(/** @type {import('./kernel.mjs').Kernel} */ kernel, /** @type {string} */ program) {
  return `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in ${kernel.modules.map((path) => basename(path)).join(' ')}; do
  insmod "/modules/$module" || echo "hardware: $module was not loaded"
done
mount -t configfs config /sys/kernel/config
chip() {
  mkdir -p "/sys/kernel/config/gpio-sim/$1/bank0"
  echo "$3" > "/sys/kernel/config/gpio-sim/$1/bank0/num_lines"
  echo "$2" > "/sys/kernel/config/gpio-sim/$1/bank0/label"
  echo 1 > "/sys/kernel/config/gpio-sim/$1/live"
}
chip expander raspberrypi-exp-gpio 8
chip header pinctrl-bcm2835 54
mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=262144,cache=loose host /host || echo 'hardware: no files'
mount --bind /proc /host/proc
mount --bind /sys /host/sys
mount --bind /dev /host/dev
mount -t tmpfs tmp /host/mnt
chroot /host /usr/bin/env -i PATH=/usr/local/bin:/usr/bin:/bin HOME=/mnt TMPDIR=/mnt XDG_RUNTIME_DIR=/mnt \\
  '${process.execPath}' --enable-source-maps '${program}' '${projectRoot}'
echo "hardware: the program ended with $?"
poweroff -f
`
}
