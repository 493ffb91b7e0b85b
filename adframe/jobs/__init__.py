"""Much work: each part is a job of plain data, and executors run jobs on processes or machines."""

from adframe.jobs.executors import Executor as Executor
from adframe.jobs.job import Ended as Ended
from adframe.jobs.job import Job as Job
from adframe.jobs.job import RunJob as RunJob
from adframe.jobs.job import run_job as run_job
