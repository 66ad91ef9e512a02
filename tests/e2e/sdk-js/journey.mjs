// The journey of the README through the AWS SDK for JavaScript v3: any surprise is an exception.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';

import {
  CloudWatchLogsClient, DeleteLogGroupCommand, DescribeLogGroupsCommand, FilterLogEventsCommand,
} from '@aws-sdk/client-cloudwatch-logs';
import {
  AttachRolePolicyCommand, CreateRoleCommand, DeleteRoleCommand, DetachRolePolicyCommand, IAMClient, ListRolesCommand,
} from '@aws-sdk/client-iam';
import {
  CreateFunctionCommand, DeleteFunctionCommand, GetAccountSettingsCommand, GetFunctionCommand, InvokeCommand,
  LambdaClient, ListTagsCommand, paginateListFunctions, ResourceNotFoundException, TagResourceCommand,
  UpdateFunctionCodeCommand, UpdateFunctionConfigurationCommand, waitUntilFunctionActiveV2, waitUntilFunctionUpdatedV2,
} from '@aws-sdk/client-lambda';
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';

const [lambda, iam, logs, sts] = [new LambdaClient(), new IAMClient(), new CloudWatchLogsClient(), new STSClient()];
const FunctionName = 'journey-js';
const RoleName = 'journey-js';
const logGroupName = `/aws/lambda/${FunctionName}`;
const PolicyArn = 'arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole';
const waiting = { client: lambda, minDelay: 0.1, maxDelay: 1, maxWaitTime: 30 };
const trust = {
  Version: '2012-10-17',
  Statement: [{
    Effect: 'Allow',
    Principal: { Service: 'lambda.amazonaws.com', AWS: 'arn:aws:iam::222233334444:root' },
    Action: 'sts:AssumeRole',
  }],
};

const identity = await sts.send(new GetCallerIdentityCommand({}));
assert.equal(identity.Account, '222233334444');

const { Role } = await iam.send(
  new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument: JSON.stringify(trust) }),
);
assert.equal(Role.Arn, `arn:aws:iam::222233334444:role/${RoleName}`);
assert.ok(Role.CreateDate instanceof Date);
assert.deepEqual(JSON.parse(decodeURIComponent(Role.AssumeRolePolicyDocument)), trust);
await iam.send(new AttachRolePolicyCommand({ RoleName, PolicyArn }));

const ZipFile = await readFile('function.zip');
const created = await lambda.send(new CreateFunctionCommand({
  FunctionName, Runtime: 'nodejs20.x', Handler: 'index.handler', Role: Role.Arn, Code: { ZipFile }, Timeout: 30,
  MemorySize: 256, Tags: { team: 'blue' },
}));
assert.equal(created.State, 'Pending');
await waitUntilFunctionActiveV2(waiting, { FunctionName });

async function invoke(parameters = {}) {
  const answer = await lambda.send(
    new InvokeCommand({ FunctionName, Payload: JSON.stringify({ name: 'Sam' }), ...parameters }),
  );
  assert.equal(answer.StatusCode, 200);
  assert.equal(answer.FunctionError, undefined, answer.Payload.transformToString());
  return { ...answer, payload: JSON.parse(answer.Payload.transformToString()) };
}

assert.deepEqual((await invoke()).payload, { greeting: 'Hello, Sam!', memory: '256' });
const tail = Buffer.from((await invoke({ LogType: 'Tail' })).LogResult, 'base64').toString();
assert.match(tail, /^START RequestId: [0-9a-f-]{36} Version: \$LATEST\n/);
assert.match(tail, /INFO\thello, Sam\n/);
assert.match(tail, /REPORT RequestId: .+\tMemory Size: 256 MB\tMax Memory Used: \d+ MB/);

const found = await lambda.send(new GetFunctionCommand({ FunctionName }));
assert.deepEqual(found.Tags, { team: 'blue' });
const download = await fetch(found.Code.Location);
assert.ok(Buffer.from(await download.arrayBuffer()).equals(ZipFile));

await lambda.send(new UpdateFunctionConfigurationCommand({ FunctionName, Environment: { Variables: { STAGE: 'test' } } }));
await waitUntilFunctionUpdatedV2(waiting, { FunctionName });
assert.equal((await invoke()).payload.stage, 'test');
await lambda.send(new UpdateFunctionCodeCommand({ FunctionName, ZipFile: await readFile('changed.zip') }));
await waitUntilFunctionUpdatedV2(waiting, { FunctionName });
assert.equal((await invoke()).payload.greeting, 'Good day, Sam!');

const names = [];
for await (const page of paginateListFunctions({ client: lambda, pageSize: 1 }, {})) {
  names.push(...page.Functions.map((each) => each.FunctionName));
}
assert.deepEqual(names, [FunctionName]);
await lambda.send(new TagResourceCommand({ Resource: created.FunctionArn, Tags: { cost: 'low' } }));
const tagged = await lambda.send(new ListTagsCommand({ Resource: created.FunctionArn }));
assert.deepEqual(tagged.Tags, { team: 'blue', cost: 'low' });
assert.equal((await lambda.send(new GetAccountSettingsCommand({}))).AccountUsage.FunctionCount, 1);

// Log lines arrive within a second; ask until all have. One that came after the group's deletion would bring it back,
// here as on AWS.
const deadline = Date.now() + 15000;
const search = async (filterPattern) =>
  (await logs.send(new FilterLogEventsCommand({ logGroupName, filterPattern }))).events.length;
while ((await search('"hello, Sam"')) < 4 || (await search('"REPORT RequestId"')) < 4) {
  assert.ok(Date.now() < deadline, 'what the function printed, and its reports, are in the log');
}

const session = await sts.send(new AssumeRoleCommand({ RoleArn: Role.Arn, RoleSessionName: 'js' }));
const { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey, SessionToken: sessionToken } = session.Credentials;
const assumed = new STSClient({ credentials: { accessKeyId, secretAccessKey, sessionToken } });
const asRole = await assumed.send(new GetCallerIdentityCommand({}));
assert.equal(asRole.Arn, `arn:aws:sts::222233334444:assumed-role/${RoleName}/js`);

await lambda.send(new DeleteFunctionCommand({ FunctionName }));
await iam.send(new DetachRolePolicyCommand({ RoleName, PolicyArn }));
await iam.send(new DeleteRoleCommand({ RoleName }));
await logs.send(new DeleteLogGroupCommand({ logGroupName }));
await assert.rejects(lambda.send(new GetFunctionCommand({ FunctionName })), (error) => {
  assert.ok(error instanceof ResourceNotFoundException, String(error));
  assert.equal(error.message, `Function not found: ${created.FunctionArn}`);
  assert.equal(error.$metadata.httpStatusCode, 404);
  assert.match(error.$metadata.requestId, /^[0-9a-f-]{36}$/);
  return true;
});
assert.deepEqual((await iam.send(new ListRolesCommand({}))).Roles, []);
assert.deepEqual((await logs.send(new DescribeLogGroupsCommand({}))).logGroups, []);
console.log('done');
