package ivsrealtime_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"

	"github.com/rivus-live/rivus/internal/store"
)

// TestRulesHoldOverNodes: two nodes answer calls at once whose rules are about each other's records. One of the two fails.
func TestRulesHoldOverNodes(t *testing.T) {
	t.Parallel()
	e := start(t, withQuotas)
	state, err := store.Open(t.Context(), e.conn, store.Options{})
	check(t, err)
	t.Cleanup(state.Close)
	second := &env{conn: e.conn, state: state, media: e.media}
	second.now.Store(e.now.Load())
	second.open(t, "two")
	second.opts.Quotas = true
	second.serve(t)
	nodes := [2]*sdk.Client{e.api(), second.api()}
	for round := range 20 {
		one, other := nodes[round%2], nodes[1-round%2]
		twoImports(t, one, other)
		useAndDeletion(t, one, other)
	}
}

// both makes two calls at once.
func both(calls ...func() error) (errs [2]error) {
	var running sync.WaitGroup
	for i, call := range calls {
		running.Go(func() { errs[i] = call() })
	}
	running.Wait()
	return errs
}

func isConflict(err error) bool {
	var conflict *types.ConflictException
	return errors.As(err, &conflict)
}

// twoImports imports one key at two nodes.
func twoImports(t *testing.T, one, other *sdk.Client) {
	t.Helper()
	_, material := newKey(t)
	var made [2]*sdk.ImportPublicKeyOutput
	importAt := func(i int, node *sdk.Client) func() error {
		return func() (err error) {
			made[i], err = node.ImportPublicKey(t.Context(), &sdk.ImportPublicKeyInput{PublicKeyMaterial: &material})
			return err
		}
	}
	errs := both(importAt(0, one), importAt(1, other))
	winner := 0
	if errs[0] != nil {
		winner = 1
	}
	if errs[winner] != nil || !isConflict(errs[1-winner]) {
		t.Fatalf("two imports of one key: %v", errs)
	}
	_, err := one.DeletePublicKey(t.Context(), &sdk.DeletePublicKeyInput{Arn: made[winner].PublicKey.Arn})
	check(t, err)
}

// useAndDeletion refers to a storage configuration at one node and deletes it at the other.
func useAndDeletion(t *testing.T, one, other *sdk.Client) {
	t.Helper()
	storage, err := one.CreateStorageConfiguration(t.Context(), &sdk.CreateStorageConfigurationInput{
		S3: &types.S3StorageConfiguration{BucketName: aws.String("bucket.of-mine")},
	})
	check(t, err)
	at := storage.StorageConfiguration.Arn
	var stage *sdk.CreateStageOutput
	errs := both(func() (err error) {
		stage, err = one.CreateStage(t.Context(), &sdk.CreateStageInput{
			AutoParticipantRecordingConfiguration: &types.AutoParticipantRecordingConfiguration{StorageConfigurationArn: at},
		})
		return err
	}, func() error {
		_, err := other.DeleteStorageConfiguration(t.Context(), &sdk.DeleteStorageConfigurationInput{Arn: at})
		return err
	})
	var missing *types.ValidationException // CreateStage knows no other error for what is not there
	switch {
	case errs[0] == nil && isConflict(errs[1]):
		_, err := one.DeleteStage(t.Context(), &sdk.DeleteStageInput{Arn: stage.Stage.Arn})
		check(t, err)
		_, err = one.DeleteStorageConfiguration(t.Context(), &sdk.DeleteStorageConfigurationInput{Arn: at})
		check(t, err)
	case errs[1] == nil && errors.As(errs[0], &missing):
	default:
		t.Fatalf("a configuration is used and deleted: %v", errs)
	}
}
