import { test } from 'node:test'
import { runMembershipSchedule } from '../support/membership-schedule.ts'

const FIRST = Number(process.env['MEMBERSHIP_SEED'] ?? 1)
const SCHEDULES = Number(process.env['MEMBERSHIP_SCHEDULES'] ?? 40)

for (let seed = FIRST; seed < FIRST + SCHEDULES; seed++) {
  test(`whoever joins, is retired and returns, all agree and nothing durable is lost or doubled (seed ${seed})`, () => {
    runMembershipSchedule(seed)
  })
}
