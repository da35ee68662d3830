import { expect, test } from 'vitest'
import { directivesIn } from '../../src/scheduler/script-directives.ts'

const shown = (scheduler: string, script: string) =>
  directivesIn(scheduler, script).map(({ line, text, sets, use, value }) =>
    [`${line}: ${text}`, ...(value === undefined ? [] : [`= ${value}`]), ...sets, ...(use ? [use] : [])].join(
      ' | ',
    ),
  )

test("Slurm's: long and short, several on a line, quoted, to the first command", () => {
  const script = `#!/bin/bash -l
# a comment
#SBATCH --job-name="two words" # what it is called
##SBATCH --time=9
#SBATCHED
#SBATCH -N 2 -n8 --cpus-per-task 4

#SBATCH --time=1-00:00 --mem=4G --exclusive --requeue
#SBATCH -o out.%j --error=err
#SBATCH --gres=gpu:a100:2,disk:1 --gres=disk:2 -p long --switches=1
#SBATCH --array=1-10
#SBATCH -D /data --wait
set -e
#SBATCH --time=2
`
  expect(shown('slurm', script)).toMatchInlineSnapshot(`
    [
      "3: --job-name="two words" | = two words | name",
      "6: -N 2 | = 2 | nodes",
      "6: -n8 | = 8 | tasksPerNode",
      "6: --cpus-per-task 4 | = 4 | cores",
      "8: --time=1-00:00 | = 1-00:00 | time",
      "8: --mem=4G | = 4G | memory",
      "8: --exclusive | exclusive",
      "8: --requeue | requeue",
      "9: -o out.%j | = out.%j | log",
      "9: --error=err | = err | log",
      "10: --gres=gpu:a100:2,disk:1 | = gpu:a100:2,disk:1 | gpus",
      "10: --gres=disk:2 | = disk:2",
      "10: -p long | = long | partition",
      "10: --switches=1 | = 1",
      "11: --array=1-10 | = 1-10 | array",
      "12: -D /data | = /data | folder",
      "12: --wait | submits",
    ]
  `)
})

test("PBS's, and Torque's", () => {
  const script = `#!/bin/sh
#PBS -N name -q long
#PBS -l select=2:ncpus=4:mem=8gb
#PBS -l walltime=1:00:00,place=excl
#PBS -j oe -o log
#PBS -J 0-9
#PBS -W depend=afterok:1 -W group_list=g
#PBS -S /bin/bash -V -v A=1
echo
#PBS -q other
`
  expect(shown('pbs', script)).toMatchInlineSnapshot(`
    [
      "2: -N name | = name | name",
      "2: -q long | = long | partition",
      "3: -l select=2:ncpus=4:mem=8gb | = select=2:ncpus=4:mem=8gb | nodes | tasksPerNode | cores | memory | gpus | nodelist",
      "4: -l walltime=1:00:00,place=excl | = walltime=1:00:00,place=excl | time | exclusive",
      "5: -j oe | = oe | log",
      "5: -o log | = log | log",
      "6: -J 0-9 | = 0-9 | array",
      "7: -W depend=afterok:1 | = depend=afterok:1 | dependency",
      "7: -W group_list=g | = group_list=g",
      "8: -S /bin/bash | = /bin/bash | shell",
      "8: -V",
      "8: -v A=1 | = A=1",
    ]
  `)
  expect(shown('torque', '#PBS -l nodes=2:ppn=4,mem=4gb -d /data\n')).toMatchInlineSnapshot(`
    [
      "1: -l nodes=2:ppn=4,mem=4gb | = nodes=2:ppn=4,mem=4gb | nodes | tasksPerNode | cores | gpus | nodelist | memory",
      "1: -d /data | = /data | folder",
    ]
  `)
})

test("Grid Engine's are read to the end of the file", () => {
  const script = `#!/bin/bash
#$ -N name -cwd -V
#$ -pe smp 4 -l h_rt=3600,h_vmem=2G
#$ -o log -j y
#$ -S /bin/bash
#$ -t 1-10
#$ -notify -R y
echo
#$ -q long
`
  expect(shown('sge', script)).toMatchInlineSnapshot(`
    [
      "2: -N name | = name | name",
      "2: -cwd | here",
      "2: -V",
      "3: -pe smp 4 | = smp | cores",
      "3: -l h_rt=3600,h_vmem=2G | = h_rt=3600,h_vmem=2G | time | memory",
      "4: -o log | = log | log",
      "4: -j y | = y | log",
      "5: -S /bin/bash | = /bin/bash | shell",
      "6: -t 1-10 | = 1-10 | array",
      "7: -notify",
      "7: -R y | = y",
      "9: -q long | = long | partition",
    ]
  `)
})

test('where no scheduler reads them there are none', () => {
  expect(directivesIn('direct', '#SBATCH --time=1\n# a comment\n')).toEqual([])
  expect(directivesIn('slurm', '#PBS -q long\n')).toEqual([])
})
