package ivsrealtime_test

import (
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/ivsrealtime"
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
	second.open(t)
	second.opts.Quotas = true
	nodes := [2]*ivsrealtime.Service{e.service, ivsrealtime.New(second.opts)}
	caller := awsapi.Caller{Scope: arn.Scope{Region: region, Account: account}, BaseURL: e.url}
	both := func(calls ...func() error) (errs [2]error) {
		var running sync.WaitGroup
		for i, call := range calls {
			running.Go(func() { errs[i] = call() })
		}
		running.Wait()
		return errs
	}
	for round := range 20 {
		one, other := nodes[round%2], nodes[1-round%2]
		_, material := newKey(t)
		var made [2]*ivsrealtime.ImportPublicKeyResponse
		importOn := func(i int, s *ivsrealtime.Service) func() error {
			return func() (err error) {
				made[i], err = s.ImportPublicKey(t.Context(), caller, &ivsrealtime.ImportPublicKeyRequest{PublicKeyMaterial: material})
				return err
			}
		}
		errs := both(importOn(0, one), importOn(1, other))
		winner := made[0]
		if errs[0] != nil {
			winner = made[1]
		}
		if (errs[0] == nil) == (errs[1] == nil) || !fault.Is(errs[0], fault.Conflict) && !fault.Is(errs[1], fault.Conflict) {
			t.Fatalf("round %d: two imports of one key: %v", round, errs)
		}
		_, err := one.DeletePublicKey(t.Context(), caller, &ivsrealtime.DeletePublicKeyRequest{Arn: *winner.PublicKey.Arn})
		check(t, err)

		storage, err := one.CreateStorageConfiguration(t.Context(), caller, &ivsrealtime.CreateStorageConfigurationRequest{
			S3: &ivsrealtime.S3StorageConfiguration{BucketName: "bucket.of-mine"},
		})
		check(t, err)
		at := storage.StorageConfiguration.Arn
		var stage *ivsrealtime.CreateStageResponse
		errs = both(func() (err error) {
			stage, err = one.CreateStage(t.Context(), caller, &ivsrealtime.CreateStageRequest{
				Name:                                  aws.String("x"),
				AutoParticipantRecordingConfiguration: &ivsrealtime.AutoParticipantRecordingConfiguration{StorageConfigurationArn: at},
			})
			return err
		}, func() error {
			_, err := other.DeleteStorageConfiguration(t.Context(), caller, &ivsrealtime.DeleteStorageConfigurationRequest{Arn: at})
			return err
		})
		switch {
		case errs[0] == nil && fault.Is(errs[1], fault.Conflict):
			_, err := one.DeleteStage(t.Context(), caller, &ivsrealtime.DeleteStageRequest{Arn: stage.Stage.Arn})
			check(t, err)
			_, err = one.DeleteStorageConfiguration(t.Context(), caller, &ivsrealtime.DeleteStorageConfigurationRequest{Arn: at})
			check(t, err)
		case errs[1] == nil && fault.Is(errs[0], fault.NotFound):
		default:
			t.Fatalf("round %d: a configuration is used and deleted: %v", round, errs)
		}
	}
}
